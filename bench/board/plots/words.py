"""What is written on figures: rows, columns, and where the records were made."""

from __future__ import annotations

import textwrap

from bench.board.describe import weights_text
from bench.board.order import BLOCKS
from bench.board.tables import Column, Row, Table
from bench.board.text import plain, shorten, shorten_middle

LABEL_WIDTH = 34
TITLE_WIDTH = 78


def row_text(row: Row) -> str:
    """A label that begins with an underscore would be left out by matplotlib."""
    text = shorten_middle(row.label, LABEL_WIDTH)
    text = f" {text}" if text.startswith("_") else text
    return text if row.variant.block == "method" else f"{text} ({row.variant.block})"


def shown_rows(table: Table) -> list[Row]:
    """Rows with something to show, block by block."""
    rows = [row for block in BLOCKS for row in table.block(block)]
    return [row for row in rows if any(cell.units for cell in row.cells.values())]


def tick_text(column: Column) -> str:
    return shorten(column.label, 18)


def shot_text(column: Column) -> str:
    return f"{tick_text(column)} shot"


def place_lines(table: Table) -> list[str]:
    key = table.key
    place = plain(
        f"{key.dataset} · backbone {weights_text(key)} · {key.budget.name} · val={key.val}"
    )
    return textwrap.wrap(place, TITLE_WIDTH)[:3]
