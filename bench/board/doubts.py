"""Cells that a reviewer would ask about: found by rule, so that none is published unexplained.

Nothing here says that a number is wrong. A rule finds where it would be if something were.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from bench.board.cells import Cell
from bench.board.order import shots_order
from bench.board.statistics import TableStatistics
from bench.board.tables import Column, Row
from bench.board.units import Unit

BELOW = "below a control"
FEWER = "better with fewer labels"
SAME = "the same scores as another row"
UNMOVED = "the same scores whatever was labelled"
UNCONFINED = "run where a method could have read the test labels (isolation: none)"
KINDS = (BELOW, FEWER, SAME, UNMOVED, UNCONFINED)

Scores = tuple[tuple[str, ...], bytes]


@dataclass(frozen=True, eq=False)
class Doubt:
    """A ranked row's cell, and what it stands beside: a control, another row, another column."""

    kind: str
    row: Row
    column: Column
    beside: str


def doubts_of(found: TableStatistics) -> list[Doubt]:
    """In the order of kinds, rows and columns."""
    doubts = [
        *(*_below(found), *_fewer(found), *_same(found), *_unmoved(found)),
        *_unconfined(found),
    ]
    rows = {row.label: place for place, row in enumerate(found.table.rows)}
    columns = {column: place for place, column in enumerate(found.table.columns)}
    return sorted(
        doubts,
        key=lambda one: (KINDS.index(one.kind), rows[one.row.label], columns[one.column]),
    )


def doubt_texts(found: TableStatistics) -> list[str]:
    """A line a kind: "Worth a second look, below a control: persam (1, 5, 10), hsam (5)"."""
    doubts = doubts_of(found)
    lines = []
    for kind in KINDS:
        shots: dict[str, list[str]] = {}
        for doubt in doubts:
            if doubt.kind == kind:
                labels = shots.setdefault(doubt.row.label, [])
                if doubt.column.label not in labels:
                    labels.append(doubt.column.label)
        if shots:
            named = ", ".join(f"{row} ({', '.join(labels)})" for row, labels in shots.items())
            lines.append(f"Worth a second look, {kind}: {named}")
    return lines


def _below(found: TableStatistics) -> Iterator[Doubt]:
    """The interval of the paired difference leaves out 0. One pair alone, so found rather too
    often than too rarely."""
    for pair in found.pairs:
        high = pair.comparison.high
        if pair.second.variant.block == "control" and high is not None and high < 0:
            yield Doubt(BELOW, pair.first, pair.column, pair.second.label)


def _fewer(found: TableStatistics) -> Iterator[Doubt]:
    """The whole interval above the whole interval of more labels of the same kind."""
    table = found.table
    for fewer, more in combinations(table.columns, 2):
        kind, count, _ = shots_order(fewer.shots)
        other, larger, _ = shots_order(more.shots)
        if kind != other or count >= larger or fewer.draw or more.draw:
            continue
        for row in table.block("method"):
            few, many = row.cells[fewer].dice, row.cells[more].dice
            if few is None or many is None or few.low is None or many.high is None:
                continue
            if few.low > many.high:
                yield Doubt(FEWER, row, fewer, more.label)


def _same(found: TableStatistics) -> Iterator[Doubt]:
    table = found.table
    for column in table.columns:
        seen: dict[tuple[Scores, ...], Row] = {}
        for row in table.block("method"):
            cell = row.cells[column]
            if not cell.complete or not cell.units:
                continue
            scores = tuple(_scores(unit) for unit in _ordered(cell))
            if (first := seen.setdefault(scores, row)) is not row:
                yield Doubt(SAME, row, column, first.label)


def _unmoved(found: TableStatistics) -> Iterator[Doubt]:
    """Two units of a row with other labels, and yet the same scores."""
    table = found.table
    for row in table.block("method"):
        first: dict[Scores, tuple[Column, str]] = {}
        told = set()
        for column in table.columns:
            for unit in _ordered(row.cells[column]):
                where = first.setdefault(_scores(unit), (column, unit.draw))
                if where != (column, unit.draw) and column not in told:
                    told.add(column)
                    yield Doubt(UNMOVED, row, column, f"{where[0].label} draw {where[1]}")


def _unconfined(found: TableStatistics) -> Iterator[Doubt]:
    """Controls, too: they are what the others are held against."""
    for row in found.table.rows:
        for column in found.table.columns:
            if any(unit.isolation == "none" for unit in row.cells[column].units):
                yield Doubt(UNCONFINED, row, column, "")


def _ordered(cell: Cell) -> list[Unit]:
    return sorted(cell.units, key=lambda unit: (unit.draw, unit.seed))


def _scores(unit: Unit) -> Scores:
    """Of its patients, to the last bit."""
    return unit.patients, unit.dice.tobytes()
