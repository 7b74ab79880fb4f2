"""What happens at every operation: the rules of a device, then the numbers on the CPU.

`dispatch` is called for operations on pretend tensors (`PretendTensor`), and by `Mode` for those
that make one of nothing (`torch.zeros(3, device="cuda")`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from .counting import count
from .kernels import run
from .machine import ordinal
from .randomness import check_generator, drawn
from .strict import INDEXING, check_devices, check_dtypes
from .tensor import PretendTensor, bare

aten = torch.ops.aten
WAITING = {
    "aten::nonzero",
    "aten::masked_select",
    "aten::_unique2",
    "aten::unique_dim",
    "aten::unique_consecutive",
    "aten::_local_scalar_dense",
    "aten::equal",
    "aten::is_nonzero",
    "aten::repeat_interleave",
    "aten::bincount",
}
"""The host waits for what they find: the size or the value of their result."""
SEEDED = torch.Tag.nondeterministic_seeded


class Mode(TorchDispatchMode):
    """Of a thread: sees what has no tensor among its arguments."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        return dispatch(func, args, kwargs or {})


def dispatch(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    name = func._schema.name
    flat = _flat(args, kwargs)
    shells = [value for value in flat if isinstance(value, PretendTensor)]
    device = None if kwargs.get("device") is None else torch.device(kwargs["device"])
    to_cuda = device is not None and device.type == "cuda"
    if not shells and not to_cuda:
        if SEEDED in func.tags:
            check_generator(flat, cuda=False)
        return func(*args, **kwargs)
    index = ordinal(device) if to_cuda else shells[0].index_
    if name == "aten::_to_copy":
        return _copied(args[0], kwargs, device=device, index=index)
    if name == "aten::copy_":
        return _written(*args)
    if check_devices(func, name, args, flat):
        count("host to device")
    check_dtypes(name, shells)
    if name in WAITING or (name in INDEXING and _by_mask(args[1])):
        count("sync")
    count("kernel")
    to_cpu = device is not None and device.type == "cpu"
    host_args = tuple(bare(value) for value in args)
    host_kwargs = {key: bare(value) for key, value in kwargs.items()}
    if "device" in host_kwargs:
        host_kwargs["device"] = torch.device("cpu")
    host_kwargs.pop("pin_memory", None)
    if torch.Tag.inplace_view in func.tags:
        func(*host_args, **host_kwargs)
        with torch.utils._mode_utils.no_dispatch():
            func(*args, **kwargs)  # sizes and strides of the shell
        return args[0]
    given = check_generator(flat, cuda=True) if SEEDED in func.tags and not to_cpu else None
    if SEEDED in func.tags and not to_cpu and given is None:
        found = drawn(func, host_args, host_kwargs, index=index)
    else:
        found = run(func, name, host_args, host_kwargs)
    return found if to_cpu else _in_shells(func, found, shells, index)


def _in_shells(func: Any, found: Any, shells: list[PretendTensor], index: int) -> Any:
    known = {id(shell.inner): shell for shell in shells}

    def shell(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return known[id(value)] if id(value) in known else PretendTensor(value, index)

    views = any(returned.alias_info for returned in func._schema.returns)
    if torch.is_inference_mode_enabled() and shells and views and not shells[0].is_inference():
        with torch.inference_mode(False):  # a view of an ordinary tensor is an ordinary one
            return tree_map(shell, found)
    return tree_map(shell, found)


def _copied(source: Tensor, kwargs: dict[str, Any], *, device: Any, index: int) -> Tensor:
    to_cpu = device is not None and device.type == "cpu"
    if not isinstance(source, PretendTensor):
        count("host to device")
    elif to_cpu:
        count("device to host")
    else:
        count("kernel")
    left_out = ("device", "non_blocking", "pin_memory")
    made = aten._to_copy(bare(source), **{k: v for k, v in kwargs.items() if k not in left_out})
    return made if to_cpu else PretendTensor(made, index)


def _written(into: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
    if isinstance(into, PretendTensor) != isinstance(source, PretendTensor):
        count("host to device" if isinstance(into, PretendTensor) else "device to host")
    aten.copy_(bare(into), bare(source))
    return into


def _by_mask(indices: Any) -> bool:
    masks = (torch.bool, torch.uint8)
    return any(isinstance(each, Tensor) and each.dtype in masks for each in indices or ())


def _flat(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    found: list[Any] = []
    for value in (*args, *kwargs.values()):
        if isinstance(value, list | tuple):
            found.extend(value)
        else:
            found.append(value)
    return found
