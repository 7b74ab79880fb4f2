"""Dice upward against something, and a legend of rows beside it.

Few artists, for speed: one line for the means of a row, one collection for all single draws of a
panel and one for all intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bench.board.interval import Interval
from bench.board.plots.sheet import Room, Share, letters_wide, sheet
from bench.board.plots.style import Look
from bench.board.plots.words import row_text
from bench.board.tables import Row

MARKER = 5
MOST = 12
"""Rows whose lines can be told apart on one panel."""
LEGEND_LINE = 0.18
"""Inches of a legend entry."""


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
        sharex: Share = "row",
    ) -> None:
        self.labels = [row_text(row) for row in rows]
        made = sheet(
            panels=panels,
            panel_size=panel_size,
            heading=heading,
            room=Room(right=0.65 + letters_wide(self.labels)),
            at_least=0.3 + LEGEND_LINE * len(self.labels),
            sharex=sharex,
        )
        self.figure, self.panels, self._legend_place = made.figure, made.panels, made.beside

    def draw(self, axes: Axes, marks: Sequence[Mark]) -> None:
        lines: list[tuple[float, float, float]] = []
        colours = []
        for mark in marks:
            look = mark.look
            axes.plot(
                [x for x, _ in mark.means],
                [np.nan if i is None else 100 * i.mean for _, i in mark.means],
                **look.line_of(MARKER),
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
            handles=[Line2D([], [], **look.line_of(MARKER)) for look in looks],
            labels=self.labels,
            loc="upper left",
            bbox_to_anchor=self._legend_place,
            borderaxespad=0,
        )
