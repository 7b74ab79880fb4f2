"""Seconds and steps of a record: the budget, its phases, its curve, the wall time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from bench.record.schema import Harness, Record
from bench.verify.account import worked

NEAR = 1e-3
"""Seconds. Sums of floating-point numbers are not told apart below it."""
COUNTED = ("epochs", "steps", "samples", "seconds")


def strange_clock(record: Record) -> Iterator[str]:
    yield from _budget(record)
    yield from _curve(record)
    if record.harness is not None:
        yield from _wall(record, record.harness)


def _budget(record: Record) -> Iterator[str]:
    """What goes past a budget must be said as overshoot, and nothing else."""
    budget, adaptation = record.request.budget, record.adaptation
    phases = [phase for phase in (record.pretraining, adaptation) if phase is not None]
    full = False
    for name in ("seconds", "steps"):
        allowed = getattr(budget, name)
        if allowed is None:
            continue
        used = sum(getattr(phase, name) for phase in phases)
        over = sum(getattr(phase, f"overshoot_{name}") for phase in phases)
        full = full or used > allowed - NEAR
        if used - over > allowed + NEAR:
            yield f"it used {used:g} {name} of {allowed:g}, and says {over:g} of overshoot"
        said = getattr(adaptation, f"overshoot_{name}")
        if adaptation.ended != "none" and said > max(0.0, used - allowed) + NEAR:
            yield f"it used {used:g} {name} of {allowed:g}, and says {said:g} of overshoot"
    if adaptation.ended == "budget" and not full:
        yield "its adaptation ended by the budget, and the budget is not spent"


def _curve(record: Record) -> Iterator[str]:
    for before, after in pairwise(record.curve):
        for name in COUNTED:
            if getattr(after, name) < getattr(before, name):
                yield f"its curve goes back from {getattr(before, name)} {name}"
    last = record.curve[-1] if record.curve else None
    for name in COUNTED:
        end = getattr(record.adaptation, name)
        if last is not None and getattr(last, name) > end + NEAR:
            yield f"its curve goes to {getattr(last, name):g} {name}, its adaptation to {end:g}"


def _wall(record: Record, harness: Harness) -> Iterator[str]:
    phases = [record.adaptation]
    if record.pretraining is not None and not record.pretraining.reused:
        phases.append(record.pretraining)
    spent = sum(map(worked, phases))
    if spent > harness.method_seconds + NEAR:
        yield f"its phases took {spent:g} s, the method's own work {harness.method_seconds:g} s"
    rest = harness.wall_seconds - harness.method_seconds - harness.scoring_seconds
    if abs(max(0.0, rest) - harness.overhead_seconds) > NEAR:
        yield (
            f"overhead_seconds is {harness.overhead_seconds:g}; wall time less method and scoring "
            f"is {max(0.0, rest):g}"
        )
    if harness.probe_seconds > harness.wall_seconds + NEAR:
        yield f"its probes took {harness.probe_seconds:g} s of {harness.wall_seconds:g} s"
