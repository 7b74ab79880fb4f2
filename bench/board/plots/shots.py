"""Dice against the number of labelled patients."""

from __future__ import annotations

from matplotlib.figure import Figure

from bench.board.plots.canvas import MOST, Canvas, Mark
from bench.board.plots.shotlist import shot_list
from bench.board.plots.style import Looks, look_of
from bench.board.plots.words import place_lines, shown_rows, tick_text
from bench.board.tables import Table
from bench.board.units import unit_dice

TITLE = "Dice against shots"


def shots_figure(table: Table, style: Looks) -> Figure:
    """Means with intervals, the single draws as faint points; incomplete cells have no mean."""
    rows = shown_rows(table)
    if len(rows) > MOST:  # more stand in a list
        return shot_list(table, rows, style, title=TITLE)
    wide = max(5.6, 0.11 * len(rows) * len(table.columns))
    canvas = Canvas(
        panels=(1, 1), panel_size=(wide, 3.8), heading=[TITLE, *place_lines(table)], rows=rows
    )
    axes = canvas.panels[0, 0]
    spread = min(0.05, 0.7 / max(len(rows), 1))
    marks = []
    for place, row in enumerate(rows):
        shift = (place - (len(rows) - 1) / 2) * spread
        cells = [(index + shift, row.cells[column]) for index, column in enumerate(table.columns)]
        points = [
            (x + 0.35 * spread, unit_dice(unit))  # beside the interval's line
            for x, cell in cells
            for unit in cell.units
        ]
        marks.append(Mark(look_of(style, row), points, [(x, cell.dice) for x, cell in cells]))
    canvas.draw(axes, marks)
    axes.set_xticks(range(len(table.columns)), [tick_text(column) for column in table.columns])
    axes.set_xlim(-0.5, len(table.columns) - 0.5)
    axes.set_ylabel("Dice, %")
    axes.set_xlabel("labelled patients (s: slices, %: of the training patients)")
    canvas.limit()
    canvas.legend([look_of(style, row) for row in rows])
    return canvas.figure
