"""One cell of a table: what is done, what is missing, what came out and what it cost."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import median

import numpy as np

from bench.board.censored import Median, censored_median
from bench.board.interval import Interval, across_seeds, summarise
from bench.board.order import draw_order
from bench.board.paired import aligned
from bench.board.units import Cost, Unit
from bench.record.schema import Machine


@dataclass(frozen=True, eq=False)
class CostCell:
    """Medians over the done units of one row, column and machine."""

    machine: Machine
    units: tuple[Unit, ...]
    medians: dict[str, float | None]


@dataclass(frozen=True, eq=False)
class Cell:
    """One row under one column.

    required  draws that must be done for a mean to be shown; `draws` those that are
    dice, iou, epochs  None unless complete, and where there was nothing to score or to measure
    units     done units of the complete draws
    """

    required: tuple[str, ...]
    draws: tuple[str, ...]
    units: tuple[Unit, ...]
    dice: Interval | None
    iou: Interval | None
    epochs: Median | None
    empties: Counter[tuple[str, str]]
    false_volume: float
    costs: tuple[CostCell, ...]

    @property
    def missing(self) -> int:
        return len(self.required) - len(self.draws)

    @property
    def empty_counts(self) -> list[int]:
        """Of case and class: empty on both sides, missed, found where there is nothing."""
        kinds = ("both", "missed", "false_positive")
        return [sum(n for (kind, _), n in self.empties.items() if kind == name) for name in kinds]

    @property
    def complete(self) -> bool:
        return self.missing == 0


def make_cell(units: list[Unit], run: set[str]) -> Cell:
    """`run`: the draws that some row of the table has done under this column.

    A draw counts as done where every seed that was tried is done (under any key: a failed unit that
    succeeded later under another key is no gap).
    """
    required = sorted(run | {unit.draw for unit in units}, key=draw_order)
    tried: dict[str, set[int]] = defaultdict(set)
    done: dict[str, list[Unit]] = defaultdict(list)
    for unit in units:
        tried[unit.draw].add(unit.seed)
        if unit.done:
            done[unit.draw].append(unit)
    draws = [d for d in required if d in tried and {u.seed for u in done[d]} == tried[d]]
    kept = [unit for draw in draws for unit in done[draw]]
    complete = len(draws) == len(required) and bool(draws)
    curves = [u for u in kept if u.converged is not None or u.censored is not None]
    empties: Counter[tuple[str, str]] = Counter()
    for unit in kept:
        empties.update(unit.empties)
    return Cell(
        required=tuple(required),
        draws=tuple(draws),
        units=tuple(kept),
        dice=_summary(draws, done, "dice") if complete else None,
        iou=_summary(draws, done, "iou") if complete else None,
        epochs=_epochs(curves) if complete and len(curves) == len(kept) else None,
        empties=empties,
        false_volume=sum(unit.false_volume for unit in kept),
        costs=_costs(kept),
    )


def _summary(draws: Sequence[str], done: dict[str, list[Unit]], score: str) -> Interval | None:
    """Seeds of a draw are averaged first: they are repetitions of one draw, not new draws."""
    patients = sorted({p for draw in draws for unit in done[draw] for p in unit.patients})
    runs = [
        across_seeds(
            [aligned(unit.patients, getattr(unit, score), patients) for unit in done[draw]]
        )
        for draw in draws
    ]
    return summarise(np.stack(runs))


def _epochs(units: Sequence[Unit]) -> Median | None:
    return censored_median(
        [u.converged for u in units if u.converged is not None],
        [u.censored for u in units if u.converged is None and u.censored is not None],
    )


def _costs(units: Sequence[Unit]) -> tuple[CostCell, ...]:
    """Apart for each machine: timings of two machines are never put together."""
    machines: dict[str, list[Unit]] = defaultdict(list)
    for unit in units:
        machines[unit.machine.fingerprint].append(unit)
    return tuple(
        CostCell(
            machine=machines[name][0].machine,
            units=tuple(machines[name]),
            medians={field.name: _median(machines[name], field.name) for field in fields(Cost)},
        )
        for name in sorted(machines)
    )


def _median(units: Sequence[Unit], field: str) -> float | None:
    """None where one of the units was not measured: no median over a part."""
    values = [getattr(unit.cost, field) for unit in units]
    return None if any(value is None for value in values) else float(median(values))
