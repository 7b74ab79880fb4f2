"""Two figures a table, as SVG: Dice against shots, Dice against device seconds."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.board.canvas import Canvas, Mark
from bench.board.describe import weights_text
from bench.board.order import BLOCKS
from bench.board.style import Look, looks, quiet_style
from bench.board.tables import Column, Row, Table
from bench.board.text import plain, shorten, slug
from bench.board.units import Unit

SHOTS = "Dice against shots"
SECONDS = "Dice against device seconds"
TITLE_WIDTH = 78

Looks = Mapping[tuple[str, str], Look]


def figure_files(tables: Sequence[Table]) -> dict[str, dict[str, tuple[str, str]]]:
    """Table id -> title -> (file name, SVG). Tables without a done unit have none."""
    style = looks(tables)
    files: dict[str, dict[str, tuple[str, str]]] = {}
    with quiet_style():
        for table in tables:
            if not table.machines:
                continue
            name = f"{slug(table.key.dataset)}-{slug(table.key.budget.name)}-{table.key.id}"
            files[table.key.id] = {
                SHOTS: (f"{name}-shots.svg", _svg(shots_figure(table, style))),
                SECONDS: (f"{name}-seconds.svg", _svg(seconds_figure(table, style))),
            }
    return files


def shots_figure(table: Table, style: Looks) -> Figure:
    """Means with intervals, the single draws as faint points; incomplete cells have no mean."""
    rows = _rows(table)
    canvas = Canvas(
        panels=(1, 1), panel_size=(5.6, 3.6), heading=[SHOTS, *_place(table)], rows=rows
    )
    axes = canvas.panels[0, 0]
    spread = min(0.05, 0.6 / max(len(rows), 1))
    marks = []
    for place, row in enumerate(rows):
        shift = (place - (len(rows) - 1) / 2) * spread
        cells = [(index + shift, row.cells[column]) for index, column in enumerate(table.columns)]
        points = [
            (x + 0.35 * spread, unit_dice(unit))  # beside the interval's line
            for x, cell in cells
            for unit in cell.units
        ]
        marks.append(Mark(_look(style, row), points, [(x, cell.dice) for x, cell in cells]))
    canvas.draw(axes, marks)
    axes.set_xticks(range(len(table.columns)), [_tick(column) for column in table.columns])
    axes.set_xlim(-0.5, len(table.columns) - 0.5)
    axes.set_ylabel("Dice, %")
    axes.set_xlabel("labelled patients (s: slices, %: of the training patients)")
    canvas.limit()
    canvas.legend([_look(style, row) for row in rows])
    return canvas.figure


def seconds_figure(table: Table, style: Looks) -> Figure:
    """Panels: a line for each machine, a column for each shot count.

    A mean stands where all units of its cell ran on that machine.
    """
    rows = _rows(table)
    machines = [
        shorten(f"machine {m.fingerprint[:8]}: {m.device}, {m.cpu}", TITLE_WIDTH)
        for m in table.machines
    ]
    across = len(table.columns)
    canvas = Canvas(
        panels=(len(machines), across),
        panel_size=(max(2.1, 4.6 / across), 2.6),
        heading=[SECONDS, *_place(table), *machines],
        rows=rows,
    )
    for line, machine in zip(canvas.panels, table.machines, strict=True):
        ranked: list[float] = []
        seen = [0.0]
        for axes, column in zip(line, table.columns, strict=True):
            marks = []
            for row in rows:
                cell = row.cells[column]
                here = [u for u in cell.units if u.machine.fingerprint == machine.fingerprint]
                if not here:
                    continue
                points = [(unit.cost.total_seconds, unit_dice(unit)) for unit in here]
                mean = cell.dice if len(here) == len(cell.units) else None
                middle = float(np.median([x for x, _ in points]))
                marks.append(Mark(_look(style, row), points, [(middle, mean)]))
                seen += [x for x, _ in points]
                if row.variant.block == "method":
                    ranked += [x for x, _ in points if x > 0]
            canvas.draw(axes, marks)
            axes.set_title(f"{_tick(column)} shot", loc="left")
        line[0].set_ylabel(f"Dice, %   (machine {plain(machine.fingerprint[:8])})")
        _scale_seconds(line[0], ranked, max(seen))
    canvas.panels[-1, across // 2].set_xlabel("device seconds of pre-training and adaptation")
    canvas.limit()
    canvas.legend([_look(style, row) for row in rows])
    return canvas.figure


def unit_dice(unit: Unit) -> float:
    """A single unit's mean over classes of the mean over patients; NaN: nothing to score."""
    defined = ~np.isnan(unit.dice)
    counts = defined.sum(axis=0)
    if not counts.any():
        return float("nan")
    sums = np.where(defined, unit.dice, 0.0).sum(axis=0)
    return float((sums[counts > 0] / counts[counts > 0]).mean())


def _rows(table: Table) -> list[Row]:
    """Rows with something to show, block by block."""
    rows = [row for block in BLOCKS for row in table.block(block)]
    return [row for row in rows if any(cell.units for cell in row.cells.values())]


def _look(style: Looks, row: Row) -> Look:
    return style[row.variant.block, row.label]


def _tick(column: Column) -> str:
    return shorten(column.label, 18)


def _place(table: Table) -> list[str]:
    key = table.key
    place = (
        f"{plain(key.dataset)} · backbone {weights_text(key)} · {key.budget.name} · val={key.val}"
    )
    return textwrap.wrap(place, TITLE_WIDTH)[:3]


def _scale_seconds(axes: Axes, ranked: Sequence[float], last: float) -> None:
    """Logarithmic where the ranked methods differ widely, with a linear piece for zero.

    last: the longest time of any row; the axis reaches past it.
    """
    if ranked and max(ranked) > 20 * min(ranked):
        floor = 10.0 ** np.floor(np.log10(min(ranked)))
        axes.set_xscale("symlog", linthresh=floor, linscale=0.4)
        axes.set_xlim(-0.15 * floor, 1.6 * last)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        right = 1.08 * last or 1.0
        axes.set_xlim(-0.04 * right, right)
        axes.xaxis.set_major_locator(MaxNLocator(4))  # ticks are most of what a panel costs
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
