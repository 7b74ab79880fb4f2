"""Rows against rows as a shaded triangle or square with numbers in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.board.plots.sheet import Room, letters_wide, sheet

CELL = 0.3
READABLE = 18
"""Rows up to which numbers are written: beyond, the shade alone."""
MAP = seaborn.light_palette("#123c69", as_cmap=True)


def matrices(
    *,
    titles: Sequence[str],
    heading: Sequence[str],
    labels: Sequence[str],
    axis: str,
    draw: Callable[[Axes, int], None],
) -> Figure:
    """A square panel for each title; labels on the left, and below, upright."""
    size = CELL * max(len(labels), 3)
    long = letters_wide(labels)
    made = sheet(
        panels=(1, len(titles)),
        panel_size=(size, size),
        heading=heading,
        room=Room(left=0.35 + long, bottom=0.6 + long, between=0.25),
    )
    for place, (axes, title) in enumerate(zip(made.panels[0], titles, strict=True)):
        draw(axes, place)
        axes.set_title(title, loc="left")
        axes.set_xticks(np.arange(len(labels)) + 0.5, labels, rotation=90)
        axes.tick_params(length=0)
        axes.set_xlabel(axis)
    made.panels[0, 0].set_yticks(np.arange(len(labels)) + 0.5, labels, rotation=0)
    return made.figure


def shade(axes: Axes, values: np.ndarray, texts: Sequence[Sequence[str]], *, most: float) -> None:
    """(rows, rows) with NaN where there is nothing; darker is more, up to `most`."""
    seaborn.heatmap(
        values,
        ax=axes,
        cmap=MAP,
        vmin=0,
        vmax=most or 1.0,
        cbar=False,
        linewidths=0.5,
        linecolor="white",
        xticklabels=False,
        yticklabels=False,
    )
    axes.grid(False)
    if len(values) > READABLE:
        return
    for down, line in enumerate(texts):
        for across, text in enumerate(line):
            if text:
                dark = values[down, across] > 0.55 * (most or 1.0)
                axes.text(
                    *(across + 0.5, down + 0.52, text),
                    ha="center",
                    va="center",
                    fontsize=6.5,
                    color="white" if dark else "0.15",
                )
