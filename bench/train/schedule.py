"""Learning rates as functions of the share of the budget that is spent.

A schedule that is fitted to the budget ends when the budget ends, for every method alike.
"""

from __future__ import annotations

import torch

from bench.contract import Clock


def warm_up_poly(progress: float, *, warm_up: float = 0.05, power: float = 0.9) -> float:
    """Factor on the base rate: linear up to `warm_up`, then (1 - rest) ** power down to 0."""
    if progress < warm_up:
        return max(progress / warm_up, 0.02)
    rest = (progress - warm_up) / (1 - warm_up)
    return float((1 - min(rest, 1.0)) ** power)


def progress_of(clock: Clock, *, recipe_steps: int) -> float:
    """Share of the run that is done: of the budget, or of the method's own recipe without one."""
    if clock.limited:
        return clock.fraction
    return min(1.0, clock.steps / max(1, recipe_steps))


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate
