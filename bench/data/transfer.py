"""From the host to the device of a training without making either wait."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

SHARE = 0.25
"""Of the device memory that this process may still take: what a data set may lie on."""


def to_device(tensor: Tensor, device: torch.device | str) -> Tensor:
    """On a GPU through pinned memory, so that the copy is queued behind what the device has to do;
    a plain `.to` waits until the device has done all of it."""
    return pinned(tensor, device).to(device, non_blocking=True)


def pinned(tensor: Tensor, device: torch.device | str) -> Tensor:
    """Where it lies, but in memory that a GPU can copy from by itself, if it is to go to one."""
    if torch.device(device).type != "cuda" or tensor.device.type != "cpu" or tensor.is_pinned():
        return tensor
    return tensor.pin_memory()


@lru_cache(maxsize=256)
def constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """(len(values),), made once for a device: a constant that is made in each step is a copy and a
    wait in each step. Nobody may change it in place."""
    with torch.inference_mode(False):  # whoever asks first may be predicting; a training comes too
        return torch.tensor(values, dtype=dtype, device=device)


def free_bytes(device: torch.device | str) -> int:
    """What this process may still take of a GPU's memory: what is free there, and what is its own
    and unused, up to the budget's cap."""
    index = torch.device(device).index  # the cap is not told of a device without one
    index = torch.cuda.current_device() if index is None else index
    free, total = torch.cuda.mem_get_info(index)
    used = torch.cuda.memory_allocated(index)
    unused = torch.cuda.memory_reserved(index) - used
    capped = getattr(torch.cuda, "get_per_process_memory_fraction", None)  # since torch 2.7
    cap = total if capped is None else capped(index) * total
    return int(max(0, min(free + unused, cap - used)))


def fits(size: int, device: torch.device | str) -> bool:
    """Whether so many bytes of data may lie on the device beside the training. On a CPU data are
    where they are: never."""
    return torch.device(device).type == "cuda" and size <= SHARE * free_bytes(device)
