"""The main table of each comparison for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from bench.board.cells import Cell
from bench.board.describe import best_rows, interval_text, sample_text, weights_text
from bench.board.interval import FEW_PATIENTS
from bench.board.order import BLOCKS
from bench.board.tables import Column, Table, grouped, table_of
from bench.board.text import plain, plural, shorten
from bench.board.units import Unit

TABLES = 12
"""Beyond so many nobody reads them as they rush by."""
COLUMNS = 4
"""Shot counts side by side; further ones follow in another table."""
LABEL_WIDTH = 26
FAILURES = 10


def terminal(units: Sequence[Unit]) -> Group:
    """Dice of each table, for `rich.print`; of many tables the largest. `units` in the order of
    their keys."""
    groups = grouped(units)
    if not groups:
        return Group(Text("No records yet: `python -m bench run ...` makes some."))
    largest = {key for key, _ in sorted(groups, key=lambda group: -len(group[1]))[:TABLES]}
    tables = [table_of(key, own) for key, own in groups if key in largest]
    parts = [part for table in tables for part in _parts(table)]
    if more := len(groups) - len(tables):
        parts.append(Text(f"\n... and {plural(more, 'smaller table')}: the page has them"))
    return Group(*parts)


def _parts(table: Table) -> Iterator[RenderableType]:
    key = table.key
    place = f"{key.dataset} · backbone {weights_text(key)} · {key.budget.name} · val={key.val}"
    yield Text(f"\n{plain(place)}", style="bold")
    yield Text(
        f"{plural(len(table.patients), 'test patient')} · protocol {key.protocol} · "
        f"fingerprint {plain(key.fingerprint[:8])} · "
        f"{plural(len(table.machines), 'machine')}",
        style="dim",
    )
    if 0 < len(table.patients) < FEW_PATIENTS:
        yield Text(sample_text(len(table.patients)), style="dim")
    columns = iter(table.columns)
    while chunk := list(islice(columns, COLUMNS)):
        yield _grid(table, chunk)
    if table.failed:
        yield from _failures(table)


def _grid(table: Table, columns: Sequence[Column]) -> RichTable:
    grid = RichTable(title_justify="left", pad_edge=False, expand=False)
    grid.add_column("Dice, %", overflow="fold", max_width=LABEL_WIDTH)
    for column in columns:
        grid.add_column(Text(f"{plain(column.label)} shot"), justify="right")
    for block in BLOCKS:
        rows = table.block(block)
        bold = best_rows(rows, table, "dice")
        for row in rows:
            name = shorten(row.label, 3 * LABEL_WIDTH)
            label = name if block == "method" else f"{name} ({block})"
            style = "" if block == "method" else "dim"
            cells = [
                _cell(row.cells[column], bold=(row.label, column.label) in bold)
                for column in columns
            ]
            grid.add_row(Text(label), *cells, style=style)
        if rows:
            grid.add_section()
    return grid


def _cell(cell: Cell, *, bold: bool) -> Text:
    """Mean and interval on two lines, so that four columns fit."""
    if not cell.complete:
        first, second = "—", f"{cell.missing} of {len(cell.required)} missing"
        return Text(f"{first}\n{second}")
    if cell.dice is None:
        return Text("—")
    mean, interval = interval_text(cell.dice).split(" ", 1)
    text = Text(mean, style="bold" if bold else "")
    return text.append(f"\n{interval}", style="dim not bold")


def _failures(table: Table) -> Iterator[RenderableType]:
    for unit in table.failed[:FAILURES]:
        where = f"{shorten(table.labels[unit.variant], 40)}, {unit.shots} shot, draw {unit.draw}"
        said = f"{where}: {shorten(unit.problem or '', 200)} (record {unit.key})"
        yield Text(f"failed: {plain(said)}")
    if len(table.failed) > FAILURES:
        yield Text(f"... and {len(table.failed) - FAILURES} more")
