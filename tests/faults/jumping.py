"""A wall clock that jumps, for a year at most, whenever somebody looks at it."""

from __future__ import annotations

import datetime as real
import random
import time

YEAR = 365.25 * 24 * 3600


def install() -> None:
    """In this process and in all that it forks."""
    random_, now = random.Random(), time.time

    def jumped() -> float:
        return now() + random_.uniform(-YEAR, YEAR)

    class Jumping(real.datetime):
        @classmethod
        def now(cls, tz: real.tzinfo | None = None) -> real.datetime:
            return cls.fromtimestamp(jumped(), tz)

    import bench.executors.sweeps
    import bench.unit.life
    import bench.unit.trail

    time.time = jumped
    time.time_ns = lambda: int(jumped() * 1e9)
    for module in (bench.executors.sweeps, bench.unit.life, bench.unit.trail):
        module.datetime = Jumping  # type: ignore[attr-defined]
