"""What a record says of itself must agree: counts with scores, seconds with the budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from statistics import median

from bench.record.agreement import disagreements
from bench.record.schema import Record
from bench.unit.convergence import converge


def contradictions(record: Record) -> Iterator[str]:
    if record.status == "failed":
        if not record.reason:
            yield "it failed without a reason"
        return
    yield from _cases(record)
    yield from _clock(record)
    yield from _derived(record)


def _cases(record: Record) -> Iterator[str]:
    names = [case.case for case in record.cases]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        yield f"case {', '.join(twice)} is scored twice"
    if set(names) != set(record.data.test):
        odd = sorted(set(names) ^ set(record.data.test))
        yield f"data.test and the scored cases differ in {', '.join(odd[:5])}"
    for part in ("support", "probe"):
        both = sorted(set(getattr(record.data, part)) & set(record.data.test))
        if both:
            yield f"test case {', '.join(both)} is in its {part}"
    for case in record.cases:
        if set(case.classes) != set(record.data.classes):
            yield f"case {case.case} has other classes than data.classes"
    yield from disagreements(record)


def _derived(record: Record) -> Iterator[str]:
    """What was worked out from the rest of the record."""
    if record.convergence is not None and record.convergence != converge(record.curve):
        yield "convergence is not what its curve gives"
    seconds = [case.seconds for case in record.cases if case.seconds > 0]
    speed = record.throughput
    if speed is not None and seconds and speed.warm_seconds != median(seconds):
        yield f"throughput.warm_seconds is {speed.warm_seconds}, its cases give {median(seconds)}"


def _clock(record: Record) -> Iterator[str]:
    """What goes past a budget must be said as overshoot."""
    budget = record.request.budget
    phases = [phase for phase in (record.pretraining, record.adaptation) if phase is not None]
    for name in ("seconds", "steps"):
        allowed = getattr(budget, name)
        used = sum(getattr(phase, name) for phase in phases)
        over = sum(getattr(phase, f"overshoot_{name}") for phase in phases)
        if allowed is not None and used - over > allowed + 1e-3:
            yield f"it used {used:g} {name} of {allowed:g}, and says {over:g} of overshoot"
    last = record.curve[-1] if record.curve else None
    if last is not None and last.steps > record.adaptation.steps:
        yield f"its curve goes to {last.steps} steps, its adaptation to {record.adaptation.steps}"
