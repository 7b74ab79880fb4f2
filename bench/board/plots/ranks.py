"""How often each ranked row had each rank, if other draws and patients had been met."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.board.plots.sheet import Room, letters_wide, sheet
from bench.board.plots.words import place_lines, row_text, shot_text
from bench.board.statistics import ColumnStatistics, TableStatistics
from bench.board.tables import Row

SEEN = 0.005
"""A smaller share is a dot that nobody sees."""
TITLE = "Ranks, draws and patients drawn again 1000 times"
READING = (
    "area of a dot: share of the times; ring: the rank here; bar: 95 % of the ranks",
    "letters: rows that share one were not told apart",
)


def ranks_figure(statistics: TableStatistics) -> Figure | None:
    """None where no column has two ranked rows to put in order."""
    table = statistics.table
    columns = [c for c in statistics.columns.values() if _ranked(c)]
    rows = [r for r in table.block("method") if any(r.label in c.standings for c in columns)]
    if not columns:
        return None
    labels = [row_text(row) for row in rows]
    wide = max(1.9, 0.19 * len(rows) + 0.6)
    made = sheet(
        panels=(1, len(columns)),
        panel_size=(wide, max(1.2, 0.24 * len(rows))),
        heading=[TITLE, *READING, *place_lines(table)],
        room=Room(left=0.35 + letters_wide(labels), between=0.2),
    )
    for axes, column in zip(made.panels[0], columns, strict=True):
        _panel(axes, column, rows)
        axes.set_xlabel("rank")
    made.panels[0, 0].set_yticks(range(len(rows)), labels)
    return made.figure


def _ranked(column: ColumnStatistics) -> bool:
    return any(standing.ranks is not None for standing in column.standings.values())


def _panel(axes: Axes, column: ColumnStatistics, rows: list[Row]) -> None:
    dots, rings, bars = [], [], []
    for place, row in enumerate(rows):
        standing = column.standings.get(row.label)
        if standing is None or standing.ranks is None:
            continue
        ranks = standing.ranks
        dots += [
            (rank + 1, place, share) for rank, share in enumerate(ranks.shares) if share >= SEEN
        ]
        rings.append((ranks.rank, place))
        bars.append((place, ranks.low, ranks.high))
        axes.text(len(rows) + 0.8, place, standing.letters, va="center", fontsize=7)
    across, up, shares = zip(*dots, strict=True)
    axes.hlines(*zip(*bars, strict=True), color="0.6", linewidth=1.0, zorder=1.5)
    axes.scatter(across, up, s=[90 * s for s in shares], c="#0173b2", linewidths=0, zorder=2)
    at, place_of = zip(*rings, strict=True)
    axes.scatter(at, place_of, s=110, c="none", edgecolors="0.15", linewidths=0.9)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    widest = max(len(s.letters) for s in column.standings.values())
    axes.set_xlim(0.3, len(rows) + 1.2 + 0.3 * widest)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_title(shot_text(column.column), loc="left")
