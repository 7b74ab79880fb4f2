"""Dice of the probe cases while the methods learn, by seconds and by steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.board.plots.canvas import MOST, Canvas
from bench.board.plots.style import Looks, look_of
from bench.board.plots.words import place_lines, shot_text, shown_rows
from bench.board.tables import Row, Table
from bench.board.units import Unit

TITLE = "Convergence: Dice of the probe cases"
CLOCKS = (("device seconds of the adaptation", 1), ("optimiser steps", 0))
"""The name on the axis, and the clock's place in a unit's curve."""


def curves_figure(table: Table, style: Looks) -> Figure | None:
    """Thick: the median over draws, probe by probe. Thin: single runs. None without a curve."""
    every = [row for row in shown_rows(table) if any(_curves(c.units) for c in row.cells.values())]
    if not every:
        return None
    rows = every[:MOST]
    left_out = []
    if len(rows) < len(every):
        left_out = [f"the first {MOST} of {len(every)} rows; times.csv has all"]
    across = len(table.columns)
    canvas = Canvas(
        panels=(len(CLOCKS), across),
        panel_size=(max(2.1, 4.6 / across), 2.4),
        heading=[TITLE, *left_out, *place_lines(table)],
        rows=rows,
    )
    for line, (name, clock) in zip(canvas.panels, CLOCKS, strict=True):
        last = 0.0
        for axes, column in zip(line, table.columns, strict=True):
            for row in rows:
                units = row.cells[column].units
                last = max(last, _row(axes, row, units, clock, style))
            axes.set_title(shot_text(column), loc="left")
        line[0].set_xlim(0, 1.03 * last or 1.0)
        line[0].xaxis.set_major_locator(MaxNLocator(4))
        line[0].yaxis.set_major_locator(MaxNLocator(5))
        line[0].set_ylabel("probe Dice, %")
        line[across // 2].set_xlabel(name)
    canvas.limit()
    canvas.legend([look_of(style, row) for row in rows])
    return canvas.figure


def _row(axes: Axes, row: Row, units: Sequence[Unit], clock: int, style: Looks) -> float:
    """Draws a row's runs; how far they reach. Seconds of several machines have no median."""
    curves = _curves(units)
    if not curves:
        return 0.0
    look = look_of(style, row)
    single = [np.column_stack([c[:, clock], 100 * c[:, 2]]) for c in curves]
    if len(single) > 1:
        thin = LineCollection(single, colors=[look.colour], linewidths=0.5, alpha=0.3, zorder=1.5)
        axes.add_collection(thin)
    if clock == 0 or len({unit.machine.fingerprint for unit in units}) == 1:
        middle = middle_curve(curves)
        axes.plot(
            middle[:, clock],
            100 * middle[:, 2],
            **look.line_of(3.5),
        )
    return max(float(c[-1, clock]) for c in curves)


def middle_curve(curves: Sequence[np.ndarray]) -> np.ndarray:
    """Median over runs of each probe that all runs have; (probes, 3) like each of them."""
    count = min(len(curve) for curve in curves)
    found: np.ndarray = np.median(np.stack([curve[:count] for curve in curves]), axis=0)
    return found


def _curves(units: Sequence[Unit]) -> list[np.ndarray]:
    return [unit.curve.astype(float) for unit in units if len(unit.curve)]
