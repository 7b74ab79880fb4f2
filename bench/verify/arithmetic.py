"""What a record says of itself must agree: counts with scores, seconds with the budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bench.record.schema import ClassScore, Record

TOLERANCE = 1e-6


def contradictions(record: Record) -> Iterator[str]:
    if record.status == "failed":
        if not record.reason:
            yield "it failed without a reason"
        return
    yield from _cases(record)
    yield from _clock(record)


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
        for name, score in case.classes.items():
            for problem in _score(score):
                yield f"case {case.case}, {name}: {problem}"


def _score(score: ClassScore) -> Iterator[str]:
    """By rule 6 of the protocol."""
    reference, predicted = score.tp + score.fn, score.tp + score.fp
    empty = None
    if not reference:
        empty = "false_positive" if predicted else "both"
    elif not predicted:
        empty = "missed"
    if score.empty != empty:
        yield f"empty is {score.empty}, by its counts {empty}"
        return
    if empty == "both":
        if score.dice is not None or score.iou is not None:
            yield "both masks are empty, and it has a score"
        return
    dice = 2 * score.tp / (reference + predicted)
    iou = score.tp / (reference + predicted - score.tp)
    for name, said, found in (("dice", score.dice, dice), ("iou", score.iou, iou)):
        if said is None or abs(said - found) > TOLERANCE:
            yield f"{name} is {said}, by its counts {found:.6f}"


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
