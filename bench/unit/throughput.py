"""Samples, slices and volumes a second: median and quartiles, the first ones left out."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, quantiles

from bench.record.schema import Spread, Throughput
from bench.unit.drive import Lap

WARM_UP = 0.1
"""Share of the training laps that only warm up."""


def spread(values: Sequence[float]) -> Spread | None:
    """None for nothing; a single value is its own quartiles."""
    if not values:
        return None
    if len(values) == 1:
        return Spread(median=values[0], q1=values[0], q3=values[0], n=1)
    q1, middle, q3 = quantiles(values, n=4, method="inclusive")
    return Spread(median=middle, q1=q1, q3=q3, n=len(values))


def training_rate(laps: Sequence[Lap]) -> Spread | None:
    """Samples a second of the laps that saw samples, after the warm-up."""
    working = [lap for lap in laps if lap.samples and lap.seconds > 0]
    warm = working[max(1, round(len(working) * WARM_UP)) :] if len(working) > 1 else working
    return spread([lap.samples / lap.seconds for lap in warm])


def measure_throughput(
    *, laps: Sequence[Lap], cold: float | None, seconds: Sequence[float], slices: Sequence[int]
) -> Throughput:
    """`cold`: the first prediction of the process; `seconds`, `slices`: one a test volume, warm."""
    timed = [(s, n) for s, n in zip(seconds, slices, strict=True) if s > 0]
    return Throughput(
        train_samples_per_second=training_rate(laps),
        volumes_per_minute=spread([60 / s for s, _ in timed]),
        slices_per_second=spread([n / s for s, n in timed]),
        cold_seconds=cold,
        warm_seconds=median(s for s, _ in timed) if timed else None,
    )
