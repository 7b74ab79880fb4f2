"""The published schedule as its code has it: what ours is held against."""

from __future__ import annotations

from bench.train.schedule import poly_decay


def published(step: int, *, steps: int, warm_up: int) -> float:
    """Factor at `step` (from 0) of a run of `steps`: linear up to 1 at step `warm_up` - 1, then
    the polynomial."""
    return (step + 1) / warm_up if step < warm_up else poly_decay(step, steps, warm_up)
