"""Dice against what it cost: device seconds and peak memory, with the Pareto front."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.board.plots.canvas import Canvas, Mark
from bench.board.plots.style import Looks, look_of
from bench.board.plots.words import TITLE_WIDTH, place_lines, shot_text, shown_rows
from bench.board.tables import Column, Row, Table
from bench.board.text import plain, shorten
from bench.board.units import Unit, unit_dice
from bench.record.schema import Machine

TITLE = "Dice against device seconds and memory"
FRONT = "grey line: the front of the ranked methods, nothing left of it is better"
Cost = Callable[[Unit], float | None]
Points = list[tuple[float, float]]


def seconds_of(unit: Unit) -> float | None:
    """Of pre-training, adaptation and the prediction of all test cases."""
    return unit.cost.total_seconds + unit.cost.inference_seconds


def memory_of(unit: Unit) -> float | None:
    """MiB of the accelerator; of the process on a CPU."""
    used = unit.cost.peak_device_bytes
    if used is None and unit.machine.device == "cpu":
        used = unit.cost.peak_host_bytes
    return None if used is None else used / 2**20


COSTS: tuple[tuple[str, Cost], ...] = (
    ("device seconds of one target task", seconds_of),
    ("peak memory, MiB", memory_of),
)


def pareto_figure(table: Table, style: Looks) -> Figure:
    """Panels: two lines for each machine, a column for each shot count.

    A mean stands where all units of its cell ran on that machine.
    """
    rows = shown_rows(table)
    machines = [
        shorten(f"machine {m.fingerprint[:8]}: {m.device}, {m.cpu}", TITLE_WIDTH)
        for m in table.machines
    ]
    across = len(table.columns)
    canvas = Canvas(
        panels=(2 * len(machines), across),
        panel_size=(max(2.1, 4.6 / across), 2.4),
        heading=[TITLE, FRONT, *place_lines(table), *machines],
        rows=rows,
    )
    lines = [(machine, *cost) for machine in table.machines for cost in COSTS]
    for line, (machine, name, cost) in zip(canvas.panels, lines, strict=True):
        _line(canvas, line, table, style, rows, machine, cost)
        line[across // 2].set_xlabel(name)
        line[0].set_ylabel(f"Dice, %   ({plain(machine.fingerprint[:8])})")
    canvas.limit()
    canvas.legend([look_of(style, row) for row in rows])
    return canvas.figure


def _line(
    canvas: Canvas,
    panels: Sequence[Axes],
    table: Table,
    style: Looks,
    rows: Sequence[Row],
    machine: Machine,
    cost: Cost,
) -> None:
    ranked: list[float] = []
    seen = [0.0]
    for axes, column in zip(panels, table.columns, strict=True):
        marks, means = [], []
        for row in rows:
            mark = _mark(row, column, machine, style, cost)
            if mark is None:
                continue
            marks.append(mark)
            seen += [x for x, _ in mark.points]
            if row.variant.block == "method":
                ranked += [x for x, _ in mark.points if x > 0]
                means += [(x, 100 * mean.mean) for x, mean in mark.means if mean is not None]
        canvas.draw(axes, marks)
        edge = front(means)
        if len(edge) > 1:
            axes.plot(*zip(*edge, strict=True), color="0.75", linewidth=3.0, zorder=1.2)
        axes.set_title(shot_text(column), loc="left")
    _scale(panels[0], ranked, max(seen))


def _mark(row: Row, column: Column, machine: Machine, style: Looks, cost: Cost) -> Mark | None:
    cell = row.cells[column]
    points = [
        (value, unit_dice(unit))
        for unit in cell.units
        if unit.machine.fingerprint == machine.fingerprint and (value := cost(unit)) is not None
    ]
    if not points:
        return None
    mean = cell.dice if len(points) == len(cell.units) else None
    middle = float(np.median([x for x, _ in points]))
    return Mark(look_of(style, row), points, [(middle, mean)])


def front(means: Points) -> Points:
    """(cost, Dice) of those that nothing else beats at no more cost, joined by steps."""
    found: Points = []
    for cost, dice in sorted(means, key=lambda point: (point[0], -point[1])):
        if not found or dice > found[-1][1]:
            if found:
                found.append((cost, found[-1][1]))
            found.append((cost, dice))
    return found


def _scale(axes: Axes, ranked: Sequence[float], last: float) -> None:
    """Logarithmic where the ranked methods differ widely, with a linear piece for zero.

    last: the highest cost of any row; the axis reaches past it.
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
