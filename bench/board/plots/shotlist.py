"""Dice of many rows, a line each and a panel for every shot count: what a plot with forty lines
across each other would hide."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.board.plots.sheet import Room, letters_wide, sheet
from bench.board.plots.style import Looks, look_of
from bench.board.plots.words import place_lines, row_text, shot_text
from bench.board.tables import Column, Row, Table
from bench.board.units import unit_dice

READING = "mark and line: mean and its interval; points: single draws"


def shot_list(table: Table, rows: Sequence[Row], style: Looks, *, title: str) -> Figure:
    """Rows as in the table: the best of its fullest column first, block by block."""
    labels = [row_text(row) for row in rows]
    made = sheet(
        panels=(1, len(table.columns)),
        panel_size=(2.4, max(1.2, 0.2 * len(rows))),
        heading=[title, READING, *place_lines(table)],
        room=Room(left=0.35 + letters_wide(labels), between=0.2),
        sharex="all",
    )
    for axes, column in zip(made.panels[0], table.columns, strict=True):
        _panel(axes, rows, column, style)
        axes.set_title(shot_text(column), loc="left")
        axes.set_xlabel("Dice, %")
    made.panels[0, 0].set_yticks(range(len(rows)), labels)
    made.panels[0, 0].set_ylim(len(rows) - 0.5, -0.5)
    low, high = made.panels[0, 0].get_xlim()
    made.panels[0, 0].set_xlim(max(low, -2), min(high, 102))
    return made.figure


def _panel(axes: Axes, rows: Sequence[Row], column: Column, style: Looks) -> None:
    dots = []
    for place, row in enumerate(rows):
        cell, look = row.cells[column], look_of(style, row)
        dots += [(100 * unit_dice(unit), place + 0.22, look.colour) for unit in cell.units]
        if cell.dice is None:
            continue
        if cell.dice.low is not None and cell.dice.high is not None:
            ends = (100 * cell.dice.low, 100 * cell.dice.high)
            axes.plot(ends, (place, place), color=look.colour, linewidth=1.1, zorder=1.8)
        axes.plot(100 * cell.dice.mean, place, **{**look.line_of(5), "linestyle": "none"})
    if dots:
        across, up, colours = zip(*dots, strict=True)
        axes.scatter(across, up, s=7, c=list(colours), linewidths=0, alpha=0.5, zorder=1.5)
