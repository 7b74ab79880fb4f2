"""A record's scores against its own counts: a score that was edited by hand does not agree."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from bench.errors import RequestError
from bench.record.schema import ClassScore, Record
from bench.record.store import read_record

TOLERANCE = 1e-6


def read_checked(path: Path) -> Record:
    """A record whose scores are those of its counts; RequestError for a broken or edited one."""
    record = read_record(path)
    edited = next(disagreements(record), None)
    if edited is not None:
        raise RequestError(
            f"record {path}: {edited}; it was changed by hand: delete it and run the unit "
            "again, or take the committed one"
        )
    return record


def disagreements(record: Record) -> Iterator[str]:
    """What is wrong with a scored case and class, by rule 6 of the protocol."""
    for case in record.cases:
        longest = math.hypot(*(n * mm for n, mm in zip(case.shape, case.spacing, strict=True)))
        for name, score in case.classes.items():
            for problem in chain(_overlap(score), _distances(score, longest)):
                yield f"case {case.case}, {name}: {problem}"


def _overlap(score: ClassScore) -> Iterator[str]:
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
        if any(value is not None for value in (score.dice, score.iou, score.hd95, score.nsd)):
            yield "both masks are empty, and it has a score"
        return
    dice = 2 * score.tp / (reference + predicted)
    iou = score.tp / (reference + predicted - score.tp)
    for name, said, found in (("dice", score.dice, dice), ("iou", score.iou, iou)):
        if said is None or abs(said - found) > TOLERANCE:
            yield f"{name} is {said}, by its counts {found:.6f}"


def _distances(score: ClassScore, longest: float) -> Iterator[str]:
    """No two voxels are farther apart than the image's corners, `longest`."""
    for name, said in (("hd95", score.hd95), ("assd", score.assd)):
        if said is not None and said > longest * (1 + TOLERANCE):
            yield f"{name} is {said}, the whole image measures {longest:.6f}"
