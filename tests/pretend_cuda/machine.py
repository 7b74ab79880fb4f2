"""The GPUs that the environment describes, and those of them that this process may see."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

import torch

_chosen = threading.local()


@dataclass(frozen=True)
class Machine:
    count: int
    major: int
    minor: int
    gigabytes: float

    @property
    def bytes(self) -> int:
        return int(self.gigabytes * 2**30)


def described() -> Machine:
    major, minor = os.environ.get("PRETEND_CUDA_CAPABILITY", "8.0").split(".")
    return Machine(
        count=int(os.environ.get("PRETEND_CUDA_COUNT", "1")),
        major=int(major),
        minor=int(minor),
        gigabytes=float(os.environ.get("PRETEND_CUDA_GB", "40")),
    )


MACHINE = described()


def visible() -> list[int]:
    """Which of the machine's GPUs are cuda:0, cuda:1, ... here. As the driver does, the list of
    CUDA_VISIBLE_DEVICES ends at the first one that is not there."""
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    if said is None:
        return list(range(MACHINE.count))
    found: list[int] = []
    for word in (part.strip() for part in said.split(",")):
        number = word.removeprefix("GPU-pretend-")
        if not number.isdecimal() or int(number) >= MACHINE.count:
            break
        found.append(int(number))
    return found


def current() -> int:
    """Of this thread."""
    return int(getattr(_chosen, "index", 0))


def choose(index: int) -> None:
    _chosen.index = index


def ordinal(device: object) -> int:
    """The number of a device as torch.cuda's functions take it: None, 1, "cuda:1", a device."""
    if device is None:
        index = None
    elif isinstance(device, int):
        index = device
    else:
        index = torch.device(device).index  # type: ignore[arg-type]
    index = current() if index is None or index < 0 else index
    if index >= len(visible()):
        raise torch.AcceleratorError(
            "CUDA error: invalid device ordinal\nGPU device may be out of range, do you have "
            "enough GPUs?"
        )
    return index
