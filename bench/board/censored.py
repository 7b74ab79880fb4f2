"""The median of times of which some were never reached within the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Median:
    """beyond: the median is more than `value`; it was not reached."""

    value: float
    beyond: bool
    count: int
    unreached: int


def censored_median(reached: Sequence[float], unreached: Sequence[float]) -> Median | None:
    """Kaplan-Meier median. `unreached` are the times at which observation ended.

    Without unreached times it is the ordinary median. Where the survival curve never falls to one
    half, the ordinary median of all times, with the unreached taken as if they had been reached, is
    a lower bound that needs no assumption.
    """
    count = len(reached) + len(unreached)
    if count == 0:
        return None
    survival, at_half = 1.0, None
    for time in sorted(set(reached)):
        if at_half is not None:
            return Median((at_half + time) / 2, False, count, len(unreached))
        events = sum(1 for other in reached if other == time)
        at_risk = sum(1 for other in (*reached, *unreached) if other >= time)
        survival *= 1 - events / at_risk
        if abs(survival - 0.5) < 1e-9:
            at_half = time  # flat at one half: the median lies midway to the next event
        elif survival < 0.5:
            return Median(time, False, count, len(unreached))
    return Median(float(median([*reached, *unreached])), True, count, len(unreached))
