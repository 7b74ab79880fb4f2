"""The CSV tables: long (a line a unit, case and class), units, cells, costs, the wide ones, and
those of statistics. What one table gives to them is made apart, so that many can be at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

from bench.board.cells import Cell
from bench.board.csvtext import flag, line, lines, number
from bench.board.interval import Interval
from bench.board.order import shots_order
from bench.board.shortening import LONG_HEADER
from bench.board.statcsvs import STATISTICS, TABLE, Line, Rows, identity
from bench.board.statistics import TableStatistics
from bench.board.tables import Column, Table
from bench.board.text import plain
from bench.board.units import Cost, Unit

COSTS = tuple(field.name for field in fields(Cost))
INTERVAL = ("mean", "low", "high", "draw_variance", "patient_variance")
SHARES = ("draw_share", "patient_share")
WideRow = tuple[Line, dict[Column, str]]
"""What stands before the values, and the values."""


@dataclass(frozen=True)
class TableLines:
    """What one table gives.

    lines  file name -> its lines
    wide   file name -> rows, with a value for each of `columns`
    units  key -> its line of `units.csv`; one without a backbone may be in several tables
    """

    columns: tuple[Column, ...]
    lines: dict[str, str]
    wide: dict[str, list[WideRow]]
    units: dict[str, str]


def lines_of(found: TableStatistics) -> TableLines:
    table = found.table
    return TableLines(
        columns=table.columns,
        lines={name: lines(rows(found)) for name, (_, rows) in LINES.items()},
        wide={name: list(rows(table)) for name, (_, rows) in WIDE.items()},
        units={unit.key: _unit(unit) for unit in table.units},
    )


def csv_files(parts: Sequence[TableLines], units: Sequence[Unit]) -> dict[str, str]:
    """File name -> text; `units` in the order of their keys."""
    of_units = {key: text for part in parts for key, text in part.units.items()}
    files = {
        name: line(*TABLE, *header) + "".join(part.lines[name] for part in parts)
        for name, (header, _) in LINES.items()
    }
    return {
        **files,
        "long.csv": line(*LONG_HEADER) + "".join(unit.long for unit in units),
        "units.csv": line(*UNITS) + "".join(of_units[unit.key] for unit in units),
        **{name: _wide(name, parts) for name in WIDE},
    }


def _wide(name: str, parts: Sequence[TableLines]) -> str:
    """A column for every shot count of any table; empty: the row's table has none."""
    every = {column for part in parts for column in part.columns}
    columns = sorted(every, key=lambda column: (shots_order(column.shots), column.draw))
    header = line(*TABLE, *WIDE[name][0], *(column.label for column in columns))
    return header + lines(
        (*head, *(values.get(column, "") for column in columns))
        for part in parts
        for head, values in part.wide[name]
    )


UNITS = (
    *(*TABLE[1:], "block", "method", "overrides", "shots", "draw", "seed", "key", "status"),
    *("problem", "machine", "source_sha256", "converged_epochs", "censored_epochs", *COSTS),
)


def _unit(unit: Unit) -> str:
    variant = unit.variant
    return line(
        *(*identity(unit.table)[1:], variant.block, variant.method, " ".join(variant.overrides)),
        *(unit.shots, unit.draw, unit.seed, unit.key, unit.status, plain(unit.problem or "")),
        *(unit.machine.fingerprint, variant.source_sha256),
        *(number(unit.converged), number(unit.censored)),
        *(_cost(getattr(unit.cost, name)) for name in COSTS),
    )


CELLS = (
    *("block", "row", "method", "shots", "named_draw", "draws_required", "draws_done", "patients"),
    *(f"dice_{name}" for name in (*INTERVAL, *SHARES)),
    *(f"iou_{name}" for name in (*INTERVAL, *SHARES)),
    *("epochs_to_converge", "epochs_censored"),
    *("both_empty", "missed", "false_positive", "false_volume", "volume_unit"),
)


def _cells(found: TableStatistics) -> Iterator[Line]:
    return (
        (
            *(*identity(found.table.key), row.variant.block, row.label, row.variant.method),
            *(column.shots, column.draw, len(cell.required), len(cell.draws)),
            *(cell.dice.patients if cell.dice else "", *_interval(cell.dice)),
            *(*_interval(cell.iou), number(cell.epochs.value if cell.epochs else None)),
            *(flag(cell.epochs.beyond if cell.epochs else None), *_empties(cell)),
        )
        for row, column, cell in found.table.every_cell()
    )


OF_COSTS = (
    *("machine", "device", "block", "row", "method", "shots", "named_draw"),
    *("draws_required", "units", *COSTS),
)


def _costs(found: TableStatistics) -> Iterator[Line]:
    return (
        (
            *identity(found.table.key),
            *(cost.machine.fingerprint, plain(cost.machine.device)),
            *(row.variant.block, row.label, row.variant.method, column.shots, column.draw),
            *(len(cell.required), len(cost.units)),
            *(_cost(cost.medians[name]) for name in COSTS),
        )
        for row, column, cell in found.table.every_cell()
        for cost in cell.costs
    )


LINES: dict[str, Rows] = {
    **STATISTICS,
    "cells.csv": (CELLS, _cells),
    "costs.csv": (OF_COSTS, _costs),
}


def _by_row(value: Callable[[Cell], str]) -> Callable[[Table], Iterator[WideRow]]:
    def rows(table: Table) -> Iterator[WideRow]:
        return (
            (
                (*identity(table.key), row.variant.block, row.label),
                {column: value(cell) for column, cell in row.cells.items()},
            )
            for row in table.rows
        )

    return rows


def _throughput(table: Table) -> Iterator[WideRow]:
    """Training samples a second, a row for each machine: never put together."""
    return (
        (
            (*identity(table.key), machine.fingerprint, row.variant.block, row.label),
            {c: _on_machine(cell, machine.fingerprint) for c, cell in row.cells.items()},
        )
        for machine in table.machines
        for row in table.rows
    )


def _on_machine(cell: Cell, fingerprint: str) -> str:
    speeds = [c.medians for c in cell.costs if c.machine.fingerprint == fingerprint]
    return number(speeds[0]["train_samples_per_second"]) if speeds else ""


def _mean(cell: Cell, interval: Interval | None) -> str:
    if not cell.complete:
        return f"missing {cell.missing} of {len(cell.required)}"
    return number(interval.mean if interval else None)


def _epochs(cell: Cell) -> str:
    if not cell.complete:
        return f"missing {cell.missing} of {len(cell.required)}"
    if cell.epochs is None:
        return ""
    return (">" if cell.epochs.beyond else "") + number(cell.epochs.value)


def _interval(interval: Interval | None) -> list[str]:
    return [number(getattr(interval, name, None)) for name in (*INTERVAL, *SHARES)]


def _empties(cell: Cell) -> list[object]:
    unit = cell.units[0].volume_unit if cell.units else ""
    return [*cell.empty_counts, number(cell.false_volume), unit]


def _cost(value: float | int | None) -> str:
    """Counts of bytes and parameters whole, the rest in six digits."""
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() else number(float(value))


WIDE: dict[str, tuple[tuple[str, ...], Callable[[Table], Iterator[WideRow]]]] = {
    "dice.csv": (("block", "row"), _by_row(lambda cell: _mean(cell, cell.dice))),
    "iou.csv": (("block", "row"), _by_row(lambda cell: _mean(cell, cell.iou))),
    "epochs_to_converge.csv": (("block", "row"), _by_row(_epochs)),
    "throughput.csv": (("machine", "block", "row"), _throughput),
}
"""File name -> its columns between those of the table and the values, and a table's rows."""
