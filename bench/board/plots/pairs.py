"""Which ranked rows differ: a triangle for each shot count."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.board.plots.matrix import matrices, shade
from bench.board.plots.words import place_lines, row_text, shot_text
from bench.board.statistics import Pairwise, TableStatistics

TITLE = "Which rows differ"
READING = (
    "number and shade: points of Dice by which the row on the left is better, p < 0.05 (Holm)",
    "with a minus: it is worse. ~: not told apart. Empty: not compared",
)


def pairs_figure(statistics: TableStatistics) -> Figure | None:
    """None where there is no pair of ranked rows."""
    pairs = [pair for pair in statistics.pairs if pair.family == "ranked"]
    if not pairs:
        return None
    named = {label for pair in pairs for label in (pair.first.label, pair.second.label)}
    rows = [row for row in statistics.table.block("method") if row.label in named]
    place = {row.label: index for index, row in enumerate(rows)}
    columns = [c for c in statistics.table.columns if any(p.column == c for p in pairs)]
    most = max((abs(100 * p.comparison.effect) for p in pairs if p.differ), default=1.0)

    def draw(axes: Axes, number: int) -> None:
        here = [pair for pair in pairs if pair.column == columns[number]]
        values = np.full((len(rows), len(rows)), np.nan)
        texts = [[""] * len(rows) for _ in rows]
        for pair in here:
            up, across, effect = _oriented(pair, place)
            values[up, across] = abs(effect) if pair.differ else 0.0
            texts[up][across] = f"{effect:.0f}" if pair.differ else "~"
        shade(axes, values, texts, most=most)

    return matrices(
        titles=[shot_text(column) for column in columns],
        heading=[TITLE, *READING, *place_lines(statistics.table)],
        labels=[row_text(row) for row in rows],
        axis="than",
        draw=draw,
    )


def _oriented(pair: Pairwise, place: dict[str, int]) -> tuple[int, int, float]:
    """In the upper triangle: the row that stands higher in the table less the lower one."""
    first, second = place[pair.first.label], place[pair.second.label]
    effect = 100 * pair.comparison.effect
    return (first, second, effect) if first < second else (second, first, -effect)
