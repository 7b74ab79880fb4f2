"""Learning rates as functions of the share of the budget that is spent.

A schedule that is fitted to the budget ends when the budget ends, for every method alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from bench.contract import Clock

Decay = Callable[[float, float, float], float]
"""(step, steps, warm_up) -> factor, for the steps after the warm-up."""


def poly_decay(step: float, steps: float, warm_up: float, *, power: float = 0.9) -> float:
    """(1 - (step - warm_up) / steps) ** power: a little more than 0 at the end, as the published
    prompt-free recipe has it (arXiv 2304.13785)."""
    return float(max(0.0, 1 - (step - warm_up) / steps) ** power)


def poly_decay_to_zero(step: float, steps: float, warm_up: float, *, power: float = 0.9) -> float:
    """(1 - (step - warm_up) / (steps - warm_up)) ** power."""
    return float((1 - _rest(step, steps, warm_up)) ** power)


def cosine_decay(step: float, steps: float, warm_up: float, *, floor: float = 0.0) -> float:
    """Half a cosine from 1 down to `floor`."""
    return floor + (1 - floor) * (1 + math.cos(math.pi * _rest(step, steps, warm_up))) / 2


def _rest(step: float, steps: float, warm_up: float) -> float:
    """Share of the steps after the warm-up that are done, 0 to 1."""
    return min(1.0, (step - warm_up) / (steps - warm_up)) if steps > warm_up else 1.0


def progress_of(clock: Clock, *, recipe_steps: int) -> float:
    """Share of the run that is done: of the budget, or of the method's own recipe without one."""
    if clock.limited:
        return clock.fraction
    return min(1.0, clock.steps / max(1, recipe_steps))
