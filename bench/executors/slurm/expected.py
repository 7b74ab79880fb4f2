"""How long a unit will take, from earlier records of its kind; and which units share a job."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.errors import RequestError
from bench.record.store import read_record, record_path
from bench.unit.spec import Unit

LOOKED_AT = 9
"""Records of one kind that are read: a median needs no more, and a results folder may be large."""
START = 10.0
"""Seconds to start a process and to import, which no record counts."""
COLD = 60.0
"""The same with a cold disk, and to open a volume store: what a limit must allow."""
UNKNOWN = 4 * 3600.0
"""Limit of a unit that has neither a budget of seconds nor an earlier record."""


@dataclass(frozen=True)
class Expected:
    """seconds  most likely; None: nobody knows
    limit    what a job should allow for it
    """

    seconds: float | None
    limit: float


@dataclass(frozen=True)
class Bundle:
    """Units of one job, one after the other."""

    units: tuple[Unit, ...]
    limit: float


def expectations(units: Sequence[Unit]) -> dict[str, Expected]:
    """For each unit's key. Units of one kind differ in shots, draw and seed alone."""
    kinds: dict[tuple[str, ...], Expected] = {}
    found: dict[str, Expected] = {}
    for unit in units:
        request = unit.request
        kind = (request.dataset, request.method, request.budget.name, request.backbone, unit.device)
        if kind not in kinds:
            kinds[kind] = _expected(unit)
        found[unit.key] = kinds[kind]
    return found


def _expected(unit: Unit) -> Expected:
    earlier = _earlier(unit)
    if earlier:
        typical = median(earlier)
        return Expected(START + typical, COLD + 2 * max(earlier))
    budget = unit.request.budget.seconds
    if budget is None:
        return Expected(None, UNKNOWN)
    return Expected(COLD + 1.5 * budget, COLD + 3 * budget)


def _earlier(unit: Unit) -> list[float]:
    """Wall seconds of done units of this kind, on the same kind of device. A damaged record says
    nothing here; `status` and the board name it."""
    example = record_path(Path(unit.results), unit.request, unit.key)
    budget, backbone = unit.request.budget.name, unit.request.backbone
    kind = re.sub(r"[^A-Za-z0-9.+=-]", "_", f"{budget}-{backbone}")
    seconds: list[float] = []
    for file in sorted(example.parent.glob(f"[!.]*-{kind}-*.json")):
        try:
            record = read_record(file)
        except RequestError:
            continue
        on_cpu = record.machine.device == "cpu"
        if record.harness is not None and on_cpu == (unit.device == "cpu"):
            seconds.append(record.harness.wall_seconds)
        if len(seconds) == LOOKED_AT:
            break
    return seconds


def bundles(units: Sequence[Unit], expected: dict[str, Expected], *, most: float) -> list[Bundle]:
    """In order: a job is full where one more unit would make it longer than `most` seconds. A unit
    that nobody knows has its own."""
    groups: list[list[Unit]] = []
    filled = 0.0
    for unit in units:
        seconds = expected[unit.key].seconds
        weight = float("inf") if seconds is None else seconds
        if not groups or filled + weight > most:
            groups.append([])
            filled = 0.0
        groups[-1].append(unit)
        filled += weight
    return [
        Bundle(tuple(group), sum(expected[unit.key].limit for unit in group)) for group in groups
    ]
