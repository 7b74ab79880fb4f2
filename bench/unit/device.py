"""The device of a worker: waiting for it, its memory, its cap, its name, and whether it repeats."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from bench.cards import OnCuda


def make_deterministic(device: str, repeats: OnCuda) -> None:
    """For the rest of this process, before anything runs on the GPU. A CPU needs none of it.

    repeats  what the method's card says: torch raises where one that repeats uses an operation of
             which there is no deterministic algorithm, and goes on where the card says "close"
    """
    if not device.startswith("cuda"):
        return
    # cuBLAS: two buffers of fixed size, or its sums depend on which stream came first.
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    torch.use_deterministic_algorithms(True, warn_only=repeats == "close")
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


def synchroniser(device: str) -> Callable[[], None]:
    if device.startswith("cuda"):
        return lambda: torch.cuda.synchronize(device)
    return lambda: None


def cap_memory(device: str, gigabytes: float | None) -> None:
    """A budget's memory cap. Only a CUDA device can be held to one."""
    if gigabytes is None or not device.startswith("cuda"):
        return
    index = torch.device(device).index  # torch takes no device without one here
    index = torch.cuda.current_device() if index is None else index
    total = torch.cuda.get_device_properties(index).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, gigabytes * 2**30 / total), index)


@dataclass
class DevicePeaks:
    """Peak memory of a device by phase; phases lie within each other, as a probe's prediction lies
    within an adaptation. What was there when a phase began counts, what was freed before does not.

    found  phase -> bytes, of phases that have ended; empty on a CPU
    """

    device: str
    found: dict[str, int] = field(default_factory=dict)
    _phase: str | None = None

    @contextmanager
    def of(self, phase: str) -> Iterator[None]:
        outside = self._phase
        self._turn_to(phase)
        try:
            yield
        finally:
            self._turn_to(outside)

    def _turn_to(self, phase: str | None) -> None:
        if not self.device.startswith("cuda"):
            return
        if self._phase is not None:
            peak = torch.cuda.max_memory_allocated(self.device)
            self.found[self._phase] = max(peak, self.found.get(self._phase, 0))
        torch.cuda.reset_peak_memory_stats(self.device)
        self._phase = phase


def device_facts(device: str) -> dict[str, Any]:
    """Its name and GB; empty for a CPU."""
    if not device.startswith("cuda"):
        return {}
    properties = torch.cuda.get_device_properties(device)
    return {"device": properties.name, "device_memory_gb": round(properties.total_memory / 2**30)}
