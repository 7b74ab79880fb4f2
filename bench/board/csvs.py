"""The CSV tables: long (a line a unit, case and class), units, cells, costs, the wide ones, and
those of statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields

from bench.board.cells import Cell
from bench.board.csvtext import line, number
from bench.board.interval import Interval
from bench.board.order import shots_order
from bench.board.shortening import LONG_HEADER
from bench.board.statcsvs import TABLE, identity, statistic_files
from bench.board.statistics import TableStatistics
from bench.board.tables import Column, Row, Table, every_unit
from bench.board.text import plain
from bench.board.units import Cost, Unit

COSTS = tuple(field.name for field in fields(Cost))
INTERVAL = ("mean", "low", "high", "draw_variance", "patient_variance")
SHARES = ("draw_share", "patient_share")


def csv_files(statistics: Sequence[TableStatistics]) -> dict[str, str]:
    """File name -> text."""
    tables = [found.table for found in statistics]
    return {
        **statistic_files(statistics),
        "long.csv": _long(tables),
        "units.csv": _units(tables),
        "cells.csv": _cells(tables),
        "costs.csv": _costs(tables),
        "dice.csv": _wide(tables, lambda cell: _mean(cell, cell.dice)),
        "iou.csv": _wide(tables, lambda cell: _mean(cell, cell.iou)),
        "epochs_to_converge.csv": _wide(tables, _epochs),
        "throughput.csv": _throughput(tables),
    }


def _long(tables: Sequence[Table]) -> str:
    return line(*LONG_HEADER) + "".join(unit.long for unit in every_unit(tables))


def _units(tables: Sequence[Table]) -> str:
    header = line(
        *(*TABLE[1:], "block", "method", "overrides", "shots", "draw", "seed", "key", "status"),
        *("problem", "machine", "source_sha256", "converged_epochs", "censored_epochs", *COSTS),
    )
    return header + "".join(_unit(unit) for unit in every_unit(tables))


def _unit(unit: Unit) -> str:
    variant = unit.variant
    return line(
        *(*identity(unit.table)[1:], variant.block, variant.method, " ".join(variant.overrides)),
        *(unit.shots, unit.draw, unit.seed, unit.key, unit.status, plain(unit.problem or "")),
        *(unit.machine.fingerprint, variant.source_sha256),
        *(number(unit.converged), number(unit.censored)),
        *(_cost(getattr(unit.cost, name)) for name in COSTS),
    )


def _cells(tables: Sequence[Table]) -> str:
    dice = [f"dice_{name}" for name in (*INTERVAL, *SHARES)]
    iou = [f"iou_{name}" for name in (*INTERVAL, *SHARES)]
    header = line(
        *(*TABLE, "block", "row", "method", "shots", "named_draw", "draws_required", "draws_done"),
        *("patients", *dice, *iou, "epochs_to_converge", "epochs_censored"),
        *("both_empty", "missed", "false_positive", "false_volume", "volume_unit"),
    )
    return header + "".join(
        line(
            *(*identity(table.key), row.variant.block, row.label, row.variant.method),
            *(column.shots, column.draw, len(cell.required), len(cell.draws)),
            *(cell.dice.patients if cell.dice else "", *_interval(cell.dice)),
            *(*_interval(cell.iou), number(cell.epochs.value if cell.epochs else None)),
            *(_flag(cell.epochs.beyond if cell.epochs else None), *_empties(cell)),
        )
        for table, row, column, cell in _every(tables)
    )


def _costs(tables: Sequence[Table]) -> str:
    header = line(
        *(*TABLE, "machine", "device", "block", "row", "method", "shots", "named_draw"),
        *("draws_required", "units", *COSTS),
    )
    return header + "".join(
        line(
            *(*identity(table.key), cost.machine.fingerprint, plain(cost.machine.device)),
            *(row.variant.block, row.label, row.variant.method, column.shots, column.draw),
            *(len(cell.required), len(cost.units)),
            *(_cost(cost.medians[name]) for name in COSTS),
        )
        for table, row, column, cell in _every(tables)
        for cost in cell.costs
    )


def _throughput(tables: Sequence[Table]) -> str:
    """Training samples a second, a line for each machine: never put together."""
    columns = _columns(tables)
    text = line(*TABLE, "machine", "block", "row", *(column.label for column in columns))
    for table in tables:
        for machine in table.machines:
            for row in table.rows:
                values = [_on_machine(row.cells.get(c), machine.fingerprint) for c in columns]
                head = (*identity(table.key), machine.fingerprint, row.variant.block, row.label)
                text += line(*head, *values)
    return text


def _on_machine(cell: Cell | None, fingerprint: str) -> str:
    if cell is None:
        return ""
    speeds = [c.medians for c in cell.costs if c.machine.fingerprint == fingerprint]
    return number(speeds[0]["train_samples_per_second"]) if speeds else ""


def _wide(tables: Sequence[Table], value: Callable[[Cell], str]) -> str:
    """A line a row, a column for every shot count of any table; empty: the table has none."""
    columns = _columns(tables)
    header = line(*TABLE, "block", "row", *(column.label for column in columns))
    return header + "".join(
        line(
            *(*identity(table.key), row.variant.block, row.label),
            *(value(row.cells[c]) if c in row.cells else "" for c in columns),
        )
        for table in tables
        for row in table.rows
    )


def _columns(tables: Sequence[Table]) -> list[Column]:
    every = {column for table in tables for column in table.columns}
    return sorted(every, key=lambda column: (shots_order(column.shots), column.draw))


def _every(tables: Sequence[Table]) -> Iterator[tuple[Table, Row, Column, Cell]]:
    for table in tables:
        for row in table.rows:
            for column in table.columns:
                yield table, row, column, row.cells[column]


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
    kinds = ("both", "missed", "false_positive")
    totals = [sum(n for (kind, _), n in cell.empties.items() if kind == name) for name in kinds]
    unit = cell.units[0].volume_unit if cell.units else ""
    return [*totals, number(cell.false_volume), unit]


def _flag(value: bool | None) -> str:
    return "" if value is None else str(value).lower()


def _cost(value: float | int | None) -> str:
    """Counts of bytes and parameters whole, the rest in six digits."""
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() else number(float(value))
