"""A record -> its unit: what the board keeps of it."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar, cast

import numpy as np

from bench.board.csvtext import field, line, number
from bench.board.recipe import words_of
from bench.board.text import plain, value_text
from bench.board.times import events_of
from bench.board.units import Cost, TableKey, Unit, Variant
from bench.record.schema import NO_BACKBONE, CaseResult, ClassScore, Record, Request
from bench.record.store import record_path

LONG_HEADER = (
    *("dataset", "fingerprint", "split", "backbone", "budget", "val", "protocol"),
    *("method", "overrides", "shots", "draw", "seed", "key", "case", "patient", "class"),
    *("tp", "fp", "fn", "dice", "iou", "hd95", "assd", "nsd", "empty"),
)


T = TypeVar("T")


def shared(value: T, known: dict[object, object]) -> T:
    """The first object that equals `value`: thousands of units name a few tables and machines."""
    return cast(T, known.setdefault((type(value), value), value))


def unit_of(record: Record, known: dict[object, object]) -> Unit:
    """`known`: what the units before had in common, added to."""
    table = shared(table_key(record), known)
    variant = shared(_variant(record), known)
    patients = tuple(sorted({case.patient for case in record.cases}))
    dice, iou = _by_patient(record, patients)
    measured = record.data.spacing != "unknown"
    return Unit(
        key=record.key,
        table=table,
        variant=variant,
        title=record.method.title,
        unlabelled=record.method.unlabelled_images,
        shots=record.request.shots,
        draw=record.request.draw,
        seed=record.request.seed,
        status=record.status,
        problem=problem_of(record),
        machine=shared(record.machine, known),
        cost=_cost(record),
        cases=len(record.cases),
        converged=_epochs(record, "converged"),
        before=_before(record),
        censored=_epochs(record, "censored_at"),
        isolation=(record.harness.isolation or "") if record.harness else "",
        events=events_of(record),
        curve=_curve(record),
        patients=shared(patients, known),
        dice=dice,
        iou=iou,
        empties=_empties(record.cases),
        false_volume=_false_volume(record.cases, in_millilitres=measured),
        volume_unit="ml" if measured else "voxels",
        file=record_path(Path(), record.request, record.key).as_posix(),
        words=_words(record, table, variant, known),
        long=_long(record, table, variant),
    )


def _words(
    record: Record, table: TableKey, variant: Variant, known: dict[object, object]
) -> tuple[str, ...]:
    """Of many units the same: worked out once for all that agree in what they are made of."""
    request, machine = record.request, record.machine
    options = json.dumps(request.dataset_options, sort_keys=True) if request.dataset_options else ""
    changed = tuple(map(repr, record.method.overrides.items()))
    place = (id(table), id(variant), request.dataset, options, changed, tuple(request.pool))
    here = ("words", place, machine.device, machine.threads, bool(record.data.skipped))
    if here not in known:
        known[here] = words_of(record)
    return cast(tuple[str, ...], known[here])


def table_key(record: Record) -> TableKey:
    request, data = record.request, record.data
    return TableKey(
        dataset=data.name,
        fingerprint=data.fingerprint,
        split=data.split,
        split_sha256=data.split_sha256,
        classes=tuple(data.classes),
        backbone=request.backbone,
        weights=_weights(request),
        budget=request.budget,
        val=request.val,
        protocol=record.protocol,
    )


def _weights(request: Request) -> str:
    names = list(request.checkpoints.values()) or [request.backbone]
    if names == [NO_BACKBONE]:
        return NO_BACKBONE
    return "nano" if any(name.startswith("nano") for name in names) else "published"


def _variant(record: Record) -> Variant:
    method, request = record.method, record.request
    return Variant(
        block=method.block,
        method=request.method,
        overrides=tuple(
            f"{name}={value_text(method.overrides[name])}" for name in sorted(method.overrides)
        ),
        options=json.dumps(request.options, sort_keys=True),
        checkpoints=tuple(sorted(request.checkpoints.items())),
        source_sha256=method.source_sha256,
    )


def problem_of(record: Record) -> str | None:
    """A done record without the score of a test case would shrink the mean's base in silence."""
    if record.status == "failed":
        return record.reason or "failed without a reason"
    absent = sorted(set(record.data.test) - {case.case for case in record.cases})
    if absent or not record.cases:
        return f"no score for test case {', '.join(absent) or '(none is named)'}"
    for case in record.cases:
        unscored = [name for name in record.data.classes if name not in case.classes]
        if unscored:
            return f"no score for {', '.join(unscored)} in case {case.case}"
    return None


def _cost(record: Record) -> Cost:
    speed, used = record.throughput, record.resources
    before = record.pretraining.seconds if record.pretraining else 0.0
    during = record.adaptation.seconds
    waits = [phase.waited_seconds for phase in (record.pretraining, record.adaptation) if phase]
    train = speed.train_samples_per_second if speed else None
    slices = speed.slices_per_second if speed else None
    volumes = speed.volumes_per_minute if speed else None
    return Cost(
        pretraining_seconds=before,
        adaptation_seconds=during,
        total_seconds=before + during,
        waited_seconds=None if None in waits else sum(w for w in waits if w is not None),
        inference_seconds=sum(case.seconds for case in record.cases),
        train_samples_per_second=train.median if train else None,
        slices_per_second=slices.median if slices else None,
        volumes_per_minute=volumes.median if volumes else None,
        cold_seconds=speed.cold_seconds if speed else None,
        warm_seconds=speed.warm_seconds if speed else None,
        peak_host_bytes=used.peak_host_bytes if used else None,
        peak_device_bytes=used.peak_device_bytes if used else None,
        trainable_parameters=used.trainable_parameters if used else None,
        total_parameters=used.total_parameters if used else None,
    )


def _curve(record: Record) -> np.ndarray:
    points = [(p.steps, p.seconds, np.nan if p.dice is None else p.dice) for p in record.curve]
    return np.array(points, np.float32).reshape(len(points), 3)


def _epochs(record: Record, name: str) -> float | None:
    moment = getattr(record.convergence, name, None)
    return None if moment is None else float(moment.epochs)


def _before(record: Record) -> float | None:
    """Epochs at the last probe before the one that saw it converged; 0 where that was the first."""
    found = record.convergence
    if found is None or found.converged is None:
        return None
    return max((p.epochs for p in record.curve if p.steps < found.converged.steps), default=0.0)


def _by_patient(record: Record, patients: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Dice and IoU as (patients, classes), a patient's cases averaged first: it counts once.

    NaN where every case of the patient was empty in reference and prediction.
    """
    names = record.data.classes
    of_patient: dict[str, list[CaseResult]] = {patient: [] for patient in patients}
    for case in record.cases:
        of_patient[case.patient].append(case)
    found: list[list[tuple[float, float]]] = []
    for cases in of_patient.values():
        if len(cases) == 1:  # nearly always, and there are many
            scores = [cases[0].classes.get(name) for name in names]
            found.append([_pair(score) for score in scores])
        else:
            found.append([_mean_pair([c.classes.get(name) for c in cases]) for name in names])
    both = np.array(found, float).reshape(len(patients), len(names), 2)
    return np.ascontiguousarray(both[..., 0]), np.ascontiguousarray(both[..., 1])


NOTHING = (float("nan"), float("nan"))


def _pair(score: ClassScore | None) -> tuple[float, float]:
    if score is None or score.dice is None or score.iou is None:
        return NOTHING
    return score.dice, score.iou


def _mean_pair(scores: Sequence[ClassScore | None]) -> tuple[float, float]:
    pairs = [pair for pair in map(_pair, scores) if pair is not NOTHING]
    if not pairs:
        return NOTHING
    dice, iou = zip(*pairs, strict=True)
    return sum(dice) / len(dice), sum(iou) / len(iou)


def _empties(cases: list[CaseResult]) -> Counter[tuple[str, str]]:
    return Counter(
        (score.empty, name) for case in cases for name, score in case.classes.items() if score.empty
    )


def _false_volume(cases: list[CaseResult], *, in_millilitres: bool) -> float:
    """Volume that was found where the reference is empty, summed over cases and classes."""
    total = 0.0
    for case in cases:
        voxel = math.prod(case.spacing) / 1000 if in_millilitres else 1.0
        total += sum(s.fp * voxel for s in case.classes.values() if s.empty == "false_positive")
    return total


def _long(record: Record, table: TableKey, variant: Variant) -> str:
    """Put together by hand: of a record's many lines only the numbers differ."""
    request = record.request
    prefix = line(
        *(plain(table.dataset), table.fingerprint, table.split, table.backbone),
        *(table.budget.name, table.val, table.protocol, variant.method),
        *(" ".join(variant.overrides), request.shots, request.draw, request.seed, record.key),
    )[:-1]
    found = []
    for case in sorted(record.cases, key=lambda case: case.case):
        head = f"{prefix},{field(case.case)},{field(case.patient)}"
        for name, s in sorted(case.classes.items()):
            scores = f"{number(s.dice)},{number(s.iou)},{number(s.hd95)},{number(s.assd)}"
            counts = f"{s.tp},{s.fp},{s.fn}"
            found.append(
                f"{head},{field(name)},{counts},{scores},{number(s.nsd)},{s.empty or ''}\n"
            )
    return "".join(found)
