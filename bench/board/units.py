"""What the board keeps of a record: a few numbers a patient and class, so that 10,000 fit."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from bench.board.text import short_hash
from bench.record.schema import BudgetSpec, Machine, Moment


@dataclass(frozen=True)
class TableKey:
    """Records that differ in one of these never stand in one table, NO_BACKBONE's apart.

    weights  "nano" or "published": whose checkpoints were used, whatever the backbone is called;
             "none" where there is no backbone
    """

    dataset: str
    fingerprint: str
    split: str
    split_sha256: str
    classes: tuple[str, ...]
    backbone: str
    weights: str
    budget: BudgetSpec
    val: str
    protocol: int

    @cached_property
    def id(self) -> str:
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        parts["budget"] = self.budget.model_dump()
        return short_hash(json.dumps(parts, sort_keys=True))


@dataclass(frozen=True)
class Variant:
    """What makes a row: the method, what the user changed, and the exact code and weights.

    options  all options as JSON text; overrides the user's part of them, "lr=0.001"
    """

    block: str
    method: str
    overrides: tuple[str, ...]
    options: str
    checkpoints: tuple[tuple[str, str], ...]
    source_sha256: str


@dataclass(frozen=True, slots=True)
class Cost:
    """Timings and memory of one unit; None where nothing was measured.

    total_seconds      pre-training and adaptation, what the budget is for
    waited_seconds     of those, the ones in which other work had the core; None: not known
    inference_seconds  of all test cases together
    """

    pretraining_seconds: float
    adaptation_seconds: float
    total_seconds: float
    waited_seconds: float | None
    inference_seconds: float
    train_samples_per_second: float | None
    slices_per_second: float | None
    volumes_per_minute: float | None
    cold_seconds: float | None
    warm_seconds: float | None
    peak_host_bytes: int | None
    peak_device_bytes: int | None
    trainable_parameters: int | None
    total_parameters: int | None


@dataclass(frozen=True, slots=True)
class Event:
    """When a run converged, or first reached a Dice level; or where it ended without doing so.

    name  "converged", or the Dice level: "0.7"
    """

    name: str
    reached: bool
    at: Moment


@dataclass(frozen=True, eq=False, slots=True)
class Unit:
    """A record in short.

    problem    why it does not count: the reason of a failure, or what a done record lacks
    patients   sorted; rows of `dice` and `iou`, which are (patients, classes) with NaN where
               every case of the patient was empty on both sides
    isolation  how the method's process was confined; empty where the record does not say
    cases      test cases that were predicted
    converged  epochs at the probe that saw it; `before` at the last one that had not; `censored`
               the epochs that were not enough; all None without a curve
    events     the same and the Dice levels, by every clock; empty without a curve
    curve      (probes, 3): steps, seconds, Dice of the probe cases (NaN: nothing to score)
    empties    cases by ("both" | "missed" | "false_positive", class)
    file       its record, below the results folder, as the suite names it
    words      of the command that makes it again, without shots, draw and seed
    long       its lines of `long.csv`, made while the record is at hand
    """

    key: str
    table: TableKey
    variant: Variant
    title: str
    unlabelled: bool
    shots: str
    draw: str
    seed: int
    status: str
    problem: str | None
    machine: Machine
    cost: Cost
    isolation: str
    cases: int
    converged: float | None
    before: float | None
    censored: float | None
    events: tuple[Event, ...]
    curve: np.ndarray
    patients: tuple[str, ...]
    dice: np.ndarray
    iou: np.ndarray
    empties: Counter[tuple[str, str]]
    false_volume: float
    volume_unit: str
    file: str
    words: tuple[str, ...]
    long: str

    @property
    def done(self) -> bool:
        return self.problem is None


def unit_dice(unit: Unit) -> float:
    """A single unit's mean over classes of the mean over patients; NaN: nothing to score."""
    defined = ~np.isnan(unit.dice)
    counts = defined.sum(axis=0)
    if not counts.any():
        return float("nan")
    sums = np.where(defined, unit.dice, 0.0).sum(axis=0)
    return float((sums[counts > 0] / counts[counts > 0]).mean())
