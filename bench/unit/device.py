"""The device of a worker: waiting for it, its memory, its cap, its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def synchroniser(device: str) -> Callable[[], None]:
    if device.startswith("cuda"):
        return lambda: torch.cuda.synchronize(device)
    return lambda: None


def cap_memory(device: str, gigabytes: float | None) -> None:
    """A budget's memory cap. Only a CUDA device can be held to one."""
    if gigabytes is None or not device.startswith("cuda"):
        return
    index = torch.device(device).index
    index = torch.cuda.current_device() if index is None else index
    total = torch.cuda.get_device_properties(index).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, gigabytes * 2**30 / total), index)


def reset_peak(device: str) -> None:
    """The peak of memory that is reported next is that of what comes now."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def device_facts(device: str) -> dict[str, Any]:
    """Its name and GB; empty for a CPU."""
    if not device.startswith("cuda"):
        return {}
    properties = torch.cuda.get_device_properties(device)
    return {"device": properties.name, "device_memory_gb": round(properties.total_memory / 2**30)}
