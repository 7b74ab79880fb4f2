"""Seconds, floating-point operations and memory of some work on a device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.unit.device import synchroniser

ROUNDS, WARM = 5, 2


@dataclass(frozen=True)
class Figure:
    """images  of one round; flops  of one round, as torch's own counter has them"""

    name: str
    images: int
    seconds: float
    flops: float
    peak_bytes: int | None

    @property
    def speed(self) -> float:
        """Floating-point operations a second."""
        return self.flops / self.seconds


def measure(name: str, work: Callable[[], object], *, images: int, device: str) -> Figure:
    """The median of a few rounds after a warm-up; the operations are counted in the first."""
    synchronise = synchroniser(device)
    cuda = device.startswith("cuda")
    with FlopCounterMode(display=False) as counter:
        work()
    for _ in range(WARM - 1):
        work()
    synchronise()
    if cuda:
        torch.cuda.reset_peak_memory_stats(device)
    rounds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        synchronise()
        rounds.append(time.perf_counter() - begun)
    return Figure(
        name=name,
        images=images,
        seconds=statistics.median(rounds),
        flops=counter.get_total_flops(),
        peak_bytes=torch.cuda.max_memory_allocated(device) if cuda else None,
    )


def peak_speed(device: str, dtype: torch.dtype, *, side: int) -> float:
    """Operations a second of a large matrix product: what the card reaches at all."""
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    figure = measure("product", lambda: left @ right, images=1, device=device)
    return 2 * side**3 / figure.seconds
