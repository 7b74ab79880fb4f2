"""A figure with room for its heading and its legend, and marks on it.

The places are computed in inches: matplotlib's layout engines draw everything twice more, and with
hundreds of units that was most of a board's time. Few artists for the same reason: one line for
the means of a row, one collection for all single draws of a panel and one for all intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.board.interval import Interval
from bench.board.style import Look
from bench.board.tables import Row
from bench.board.text import shorten_middle

LEGEND_WIDTH = 36
LEFT, BOTTOM, GAP, LINE_HEIGHT, LEGEND_LINE, LETTER = 0.7, 0.6, 0.35, 0.19, 0.18, 0.068
"""Inches: margins, gap between panels, a heading line, a legend entry, a letter of the legend."""


@dataclass(frozen=True)
class Mark:
    """A row on a panel: single draws as (x, Dice), means as (x, interval or None)."""

    look: Look
    points: Sequence[tuple[float, float]]
    means: Sequence[tuple[float, Interval | None]]


class Canvas:
    """panels: axes as (down, across). `panel_size` is (width, height) in inches."""

    def __init__(
        self,
        *,
        panels: tuple[int, int],
        panel_size: tuple[float, float],
        heading: Sequence[str],
        rows: Sequence[Row],
    ) -> None:
        down, across = panels
        self.labels = [_legend_text(row) for row in rows]
        right = 0.65 + LETTER * max(map(len, self.labels), default=0)
        top = 0.35 + LINE_HEIGHT * len(heading)
        width = LEFT + across * panel_size[0] + (across - 1) * 0.15 + right
        height = top + down * panel_size[1] + (down - 1) * 2 * GAP + BOTTOM
        height = max(height, 0.3 + LEGEND_LINE * len(self.labels))
        self.figure = Figure(figsize=(width, height))
        self.panels = self.figure.subplots(
            down,
            across,
            squeeze=False,
            sharex="row",
            sharey="row",
            gridspec_kw={
                "left": LEFT / width,
                "right": 1 - right / width,
                "top": 1 - top / height,
                "bottom": BOTTOM / height,
                "wspace": 0.15 / panel_size[0],
                "hspace": 2 * GAP / panel_size[1],
            },
        )
        self._legend_place = (1 - (right - 0.1) / width, 1 - 0.05 / height)
        self.figure.text(
            *(0.1 / width, 1 - 0.1 / height, "\n".join(heading)),
            fontsize=10,
            verticalalignment="top",
        )

    def draw(self, axes: Axes, marks: Sequence[Mark]) -> None:
        lines: list[tuple[float, float, float]] = []
        colours = []
        for mark in marks:
            look = mark.look
            axes.plot(
                [x for x, _ in mark.means],
                [np.nan if i is None else 100 * i.mean for _, i in mark.means],
                color=look.colour,
                linestyle=look.line,
                linewidth=look.width,
                marker=look.marker,
                markersize=5,
                markerfacecolor=look.colour if look.filled else "white",
            )
            for x, interval in mark.means:
                if interval is not None and interval.low is not None and interval.high is not None:
                    lines.append((x, 100 * interval.low, 100 * interval.high))
                    colours.append(look.colour)
        dots = [(x, 100 * dice, m.look.colour) for m in marks for x, dice in m.points]
        if dots:
            across, up, shades = zip(*dots, strict=True)
            axes.scatter(across, up, s=9, c=list(shades), linewidths=0, alpha=0.4, zorder=1.5)
        if lines:
            places, low, high = zip(*lines, strict=True)
            axes.vlines(places, low, high, colors=colours, linewidth=0.9, alpha=0.7, zorder=1.8)

    def limit(self) -> None:
        """After all is drawn (panels of a line share their axes): no room beyond 0 and 100."""
        for line in self.panels:
            bottom, top = line[0].get_ylim()
            line[0].set_ylim(max(bottom, -2), min(top, 102))

    def legend(self, looks: Sequence[Look]) -> None:
        self.figure.legend(
            handles=[_handle(look) for look in looks],
            labels=self.labels,
            loc="upper left",
            bbox_to_anchor=self._legend_place,
            borderaxespad=0,
        )


def _legend_text(row: Row) -> str:
    """A label that begins with an underscore would be left out by matplotlib."""
    text = shorten_middle(row.label, LEGEND_WIDTH)
    text = f" {text}" if text.startswith("_") else text
    return text if row.variant.block == "method" else f"{text} ({row.variant.block})"


def _handle(look: Look) -> Line2D:
    return Line2D(
        *([], []),
        color=look.colour,
        marker=look.marker,
        linestyle=look.line,
        linewidth=look.width,
        markersize=5,
        markerfacecolor=look.colour if look.filled else "white",
    )
