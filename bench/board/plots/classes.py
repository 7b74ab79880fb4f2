"""Each class by itself, with the patients."""

from __future__ import annotations

import hashlib
import warnings

import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.board.paired import aligned
from bench.board.plots.sheet import Room, letters_wide, sheet
from bench.board.plots.style import Look, Looks, look_of
from bench.board.plots.words import place_lines, row_text, shown_rows
from bench.board.tables import Column, Row, Table
from bench.board.text import plain, shorten

ACROSS = 4
"""Classes side by side; further ones stand below."""


def title_of(column: Column) -> str:
    return plain(f"Dice of each class, {column.label} shot")


def classes_figure(table: Table, style: Looks) -> Figure | None:
    """Boxes over patients (mean over draws and seeds), at the column that most rows have complete,
    the last of several. None where there is nothing to score."""
    column = fullest(table)
    rows = [row for row in shown_rows(table) if row.cells[column].dice is not None]
    if not rows:
        return None
    names = table.key.classes
    labels = [row_text(row) for row in rows]
    across = min(ACROSS, len(names))
    down = -(-len(names) // across)
    made = sheet(
        panels=(down, across),
        panel_size=(2.1, max(1.2, 0.23 * len(rows))),
        heading=[
            title_of(column),
            "points: patients (mean over draws); box: quartiles; whiskers: 1.5 times their range",
            *place_lines(table),
        ],
        room=Room(left=0.35 + letters_wide(labels)),
        sharex="all",
        sharey="all",
    )
    values = [by_class(row, column) for row in rows]
    looks = [look_of(style, row) for row in rows]
    for number, axes in enumerate(made.panels.flat):
        if number >= len(names):
            axes.set_visible(False)
            continue
        _panel(axes, [value[:, number] for value in values], looks)
        axes.set_title(shorten(names[number], 26), loc="left")
        axes.set_xlabel("Dice, %" if number + across >= len(names) else "")
    made.panels[0, 0].set_yticks(range(len(rows)), labels)
    made.panels[0, 0].set_xlim(-2, 102)
    return made.figure


def fullest(table: Table) -> Column:
    """The column with the most complete rows; of several the last."""
    return max(
        enumerate(table.columns),
        key=lambda item: (sum(row.cells[item[1]].dice is not None for row in table.rows), item[0]),
    )[1]


def by_class(row: Row, column: Column) -> np.ndarray:
    """(patients, classes), mean over the cell's units; NaN where there was nothing to score."""
    units = row.cells[column].units
    patients = sorted({patient for unit in units for patient in unit.patients})
    stacked = np.stack([aligned(unit.patients, unit.dice, patients) for unit in units])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a mean of nothing is NaN, as it should be
        found: np.ndarray = np.nanmean(stacked, axis=0)
    return found


def _panel(axes: Axes, values: list[np.ndarray], looks: list[Look]) -> None:
    scored = [100 * value[~np.isnan(value)] for value in values]
    seaborn.boxplot(
        scored,
        ax=axes,
        orient="h",
        color="0.9",
        width=0.7,
        fliersize=0,
        linewidth=0.7,
        linecolor="0.35",
        medianprops={"color": "0.0", "linewidth": 1.4},
    )
    dots = [
        (dice, place + jitter, look.colour)
        for place, (line, look) in enumerate(zip(scored, looks, strict=True))
        for dice, jitter in zip(line, _jitter(len(line)), strict=True)
    ]
    if dots:
        across, up, colours = zip(*dots, strict=True)
        axes.scatter(across, up, s=7, c=list(colours), alpha=0.6, linewidths=0, zorder=3)
    axes.set_ylim(len(values) - 0.5, -0.5)


def _jitter(count: int) -> np.ndarray:
    """The same in every build."""
    seed = int.from_bytes(hashlib.sha256(b"patients").digest()[:4], "big")
    found: np.ndarray = np.random.default_rng(seed).uniform(-0.22, 0.22, count)
    return found
