"""The devices' own random streams: a seed of theirs leaves the host's alone, and the other way."""

from __future__ import annotations

from typing import Any

import torch

from .machine import visible

_OF_DEVICE: dict[int, torch._C.Generator] = {}
_ON_CUDA: dict[int, int] = {}
"""`_cdata` of generators that say cuda -> their device."""


def default_of(index: int) -> torch._C.Generator:
    if index not in _OF_DEVICE:
        _OF_DEVICE[index] = torch._C.Generator()
        _OF_DEVICE[index].manual_seed(torch.initial_seed() % 2**63)
    return _OF_DEVICE[index]


def seed_all(seed: int) -> None:
    for index in range(len(visible())):
        default_of(index).manual_seed(int(seed) % 2**63)


class _AnyGenerator(type(torch._C.Generator)):  # type: ignore[misc]
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, torch._C.Generator)


class Generator(torch._C.Generator, metaclass=_AnyGenerator):
    """`torch.Generator`, also for a device."""

    def __new__(cls, device: Any = "cpu") -> Any:
        where = torch.device(device)
        if where.type == "cpu":
            return torch._C.Generator()
        made = super().__new__(cls)
        _ON_CUDA[made._cdata] = where.index or 0
        return made

    def __init__(self, device: Any = "cpu") -> None:
        """All of it is in `__new__`."""

    @property
    def device(self) -> torch.device:
        return torch.device("cuda", _ON_CUDA[self._cdata])


def check_generator(flat: list[Any], *, cuda: bool) -> torch._C.Generator | None:
    """The generator among the arguments, if it is of the right device."""
    for value in flat:
        if isinstance(value, torch._C.Generator):
            wanted, found = ("cuda", "cpu") if cuda else ("cpu", "cuda")
            if (value._cdata in _ON_CUDA) != cuda:
                raise RuntimeError(
                    f"Expected a '{wanted}' device type for generator but found '{found}'"
                )
            return value
    return None


def drawn(func: Any, args: Any, kwargs: Any, *, index: int) -> Any:
    """The operation with the device's default stream in the place of the host's."""
    host, own = torch.default_generator, default_of(index)
    outside = host.get_state()
    host.set_state(own.get_state())
    try:
        return func(*args, **kwargs)
    finally:
        own.set_state(host.get_state())
        host.set_state(outside)
