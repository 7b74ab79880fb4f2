"""Units -> tables of rows and cells: what stands together, in which order, under which name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bench.board.cells import Cell, make_cell
from bench.board.labels import row_labels
from bench.board.order import (
    BLOCKS,
    backbone_order,
    draw_order,
    is_numbered,
    shots_order,
)
from bench.board.units import TableKey, Unit, Variant
from bench.record.schema import NO_BACKBONE, Machine


@dataclass(frozen=True)
class Column:
    """Numbered draws share a column; a named draw has its own, it is no random sample.

    draw  the name of a named draw, else ""
    """

    shots: str
    draw: str

    @property
    def label(self) -> str:
        return f"{self.shots} ({self.draw})" if self.draw else self.shots


@dataclass(frozen=True, eq=False)
class Row:
    variant: Variant
    label: str
    cells: dict[Column, Cell]


@dataclass(frozen=True, eq=False)
class Table:
    """One ranked comparison.

    failed  the units that do not count, with their problems
    labels  of all variants: those of the rows, and those that have no row
    """

    key: TableKey
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    machines: tuple[Machine, ...]
    units: tuple[Unit, ...]
    failed: tuple[Unit, ...]
    patients: tuple[str, ...]
    checkpoints: tuple[tuple[str, str], ...]
    labels: dict[Variant, str]

    def every_cell(self) -> Iterator[tuple[Row, Column, Cell]]:
        return ((row, column, row.cells[column]) for row in self.rows for column in self.columns)

    def block(self, name: str) -> list[Row]:
        return [row for row in self.rows if row.variant.block == name]

    @property
    def places(self) -> dict[str, list[str]]:
        """Block -> the labels of its rows, from the top."""
        return {name: [row.label for row in self.block(name)] for name in BLOCKS}

    def draws(self, column: Column) -> list[str]:
        return sorted(
            {draw for row in self.rows for draw in row.cells[column].required}, key=draw_order
        )


def tables_of(units: Iterable[Unit]) -> list[Table]:
    """`units` in the order of their keys."""
    return [table_of(key, own) for key, own in grouped(units)]


def grouped(units: Iterable[Unit]) -> list[tuple[TableKey, list[Unit]]]:
    """The units of each table, in the order of the tables; `units` in the order of their keys."""
    found: dict[TableKey, list[Unit]] = defaultdict(list)
    for unit in units:
        found[unit.table].append(unit)
    _seat_guests(found)
    return [(key, found[key]) for key in sorted(found, key=_table_order)]


def every_unit(tables: Iterable[Table]) -> list[Unit]:
    """Each unit once, in the order of the keys: one without a backbone may be in several tables."""
    units = {unit.key: unit for table in tables for unit in table.units}
    return [units[key] for key in sorted(units)]


def _seat_guests(grouped: dict[TableKey, list[Unit]]) -> None:
    """Units without a backbone join the tables of every backbone that are otherwise alike."""
    hosts: dict[TableKey, list[TableKey]] = defaultdict(list)
    for key in grouped:
        if key.backbone != NO_BACKBONE:
            hosts[replace(key, backbone=NO_BACKBONE, weights=NO_BACKBONE)].append(key)
    for guest in [key for key in grouped if key.backbone == NO_BACKBONE and hosts[key]]:
        units = grouped.pop(guest)
        for host in hosts[guest]:
            grouped[host] = sorted([*grouped[host], *units], key=lambda unit: unit.key)


def _table_order(key: TableKey) -> tuple[object, ...]:
    budget = key.budget
    size = (budget.seconds is None, budget.seconds or 0, budget.steps or 0, budget.name)
    backbone = (backbone_order(key.backbone), key.weights)
    return (key.dataset, key.split, backbone, size, key.val, -key.protocol, key.id)


def table_of(key: TableKey, units: Sequence[Unit]) -> Table:
    by_cell: dict[tuple[Variant, Column], list[Unit]] = defaultdict(list)
    run: dict[Column, set[str]] = defaultdict(set)
    shown = _shown(units)
    for unit in units:
        column = _column(unit)
        by_cell[unit.variant, column].append(unit)
        if unit.done:
            run[column].add(unit.draw)
    columns = {_column(unit) for unit in units if unit.variant in shown}
    ordered = sorted(columns, key=lambda c: (shots_order(c.shots), draw_order(c.draw)))
    labels = row_labels(shown)
    rows = [
        Row(
            variant=variant,
            label=label,
            cells={c: make_cell(by_cell.get((variant, c), []), run[c]) for c in ordered},
        )
        for variant, label in labels.items()
    ]
    machines = {unit.machine.fingerprint: unit.machine for unit in units if unit.done}
    return Table(
        key=key,
        columns=tuple(ordered),
        rows=_in_order(rows, ordered),
        machines=tuple(machines[name] for name in sorted(machines)),
        units=tuple(units),
        failed=tuple(sorted((u for u in units if not u.done), key=_unit_order)),
        patients=tuple(sorted({p for unit in units if unit.done for p in unit.patients})),
        checkpoints=tuple(sorted({pair for unit in units for pair in unit.variant.checkpoints})),
        labels={**row_labels({unit.variant for unit in units}), **labels},
    )


def _shown(units: Sequence[Unit]) -> set[Variant]:
    """All variants but those that only ever failed and were mended since: the same request has done
    units under other code or weights. Their failures stay in the list of failures."""
    done = {unit.variant for unit in units if unit.done}
    mended = {(v.block, v.method, v.overrides) for v in done}
    return done | {
        v
        for v in (unit.variant for unit in units)
        if (v.block, v.method, v.overrides) not in mended
    }


def _column(unit: Unit) -> Column:
    return Column(unit.shots, "" if is_numbered(unit.draw) else unit.draw)


def _unit_order(unit: Unit) -> tuple[object, ...]:
    place = (shots_order(unit.shots), draw_order(unit.draw), unit.seed)
    return (unit.variant.method, unit.variant.overrides, place, unit.key)


def _in_order(rows: Sequence[Row], columns: Sequence[Column]) -> tuple[Row, ...]:
    """Blocks apart; within one by the mean of the fullest column, then of the next. The last of
    equally full ones counts first."""
    full = {c: sum(row.cells[c].dice is not None for row in rows) for c in columns}
    fullest = sorted(columns, key=lambda c: (full[c], columns.index(c)), reverse=True)

    def place(row: Row) -> tuple[object, ...]:
        cells = [row.cells[column] for column in fullest]
        means = [(0, -cell.dice.mean) if cell.dice else (1, 0.0) for cell in cells]
        return (BLOCKS.index(row.variant.block), means, row.label)

    return tuple(sorted(rows, key=place))
