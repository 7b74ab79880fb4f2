"""The device of a unit: waiting for it, its memory, its cap."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterable
from typing import Any

import torch

from bench.record.schema import Resources


def synchroniser(device: str) -> Callable[[], None]:
    if device.startswith("cuda"):
        return lambda: torch.cuda.synchronize(device)
    return lambda: None


def cap_memory(device: str, gigabytes: float | None) -> None:
    """A budget's memory cap. Only a CUDA device can be held to one."""
    if gigabytes is None or not device.startswith("cuda"):
        return
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, gigabytes * 2**30 / total), device)


def peak_host_bytes() -> int:
    """Largest resident size of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure_resources(method: Any, device: str) -> Resources:
    """Peak memory and parameters; counts are null for a method without torch parameters."""
    listed: Iterable[torch.Tensor] | None = (
        list(method.parameters()) if hasattr(method, "parameters") else None
    )
    cuda = device.startswith("cuda")
    return Resources(
        peak_host_bytes=peak_host_bytes(),
        peak_device_bytes=torch.cuda.max_memory_allocated(device) if cuda else None,
        trainable_parameters=(
            None if listed is None else sum(p.numel() for p in listed if p.requires_grad)
        ),
        total_parameters=None if listed is None else sum(p.numel() for p in listed),
    )
