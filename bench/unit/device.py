"""The device of a unit: waiting for it, its memory, its cap."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from bench.record.schema import Resources

ADAPT, PREDICT, PRETRAIN = "adapt", "predict", "pretrain"


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
            self.add({self._phase: torch.cuda.max_memory_allocated(self.device)})
        torch.cuda.reset_peak_memory_stats(self.device)
        self._phase = phase

    def add(self, earlier: Mapping[str, int]) -> None:
        """Peaks of the same unit; the highest one of a phase counts."""
        for phase, peak in earlier.items():
            self.found[phase] = max(peak, self.found.get(phase, 0))


def peak_host_bytes() -> int:
    """Largest resident size of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure_resources(method: Any, peaks: DevicePeaks) -> Resources:
    """Peak memory and parameters; counts are null for a method without torch parameters."""
    listed: Iterable[torch.Tensor] | None = (
        list(method.parameters()) if hasattr(method, "parameters") else None
    )
    return Resources(
        peak_host_bytes=peak_host_bytes(),
        peak_device_bytes=max(peaks.found.values(), default=None),
        predict_peak_device_bytes=peaks.found.get(PREDICT),
        trainable_parameters=(
            None if listed is None else sum(p.numel() for p in listed if p.requires_grad)
        ),
        total_parameters=None if listed is None else sum(p.numel() for p in listed),
    )
