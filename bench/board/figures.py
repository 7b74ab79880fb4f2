"""The figures of every table, as SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from bench.board.plots import classes, curves, equivalence, pairs, pareto, ranks, shots
from bench.board.plots.style import Looks, looks, quiet_style
from bench.board.spreading import spread
from bench.board.statistics import TableStatistics
from bench.board.tables import Table
from bench.board.text import slug

Draw = Callable[[], Figure | None]
LONG_NUMBER = re.compile(r"(?<![\d.])(?!0\.0)(\d+\.\d\d)\d{2,}")
INDENT = re.compile(r"\n +")
"""Coordinates; not the small factors by which glyphs are scaled."""


@dataclass(frozen=True)
class Limits:
    """A figure costs as much time as reading a hundred records, so a large board has fewer.

    units   tables have all figures as long as their done units together are so many, the largest
            table always
    tables  so many tables have at least the first figure
    """

    units: int = 1200
    tables: int = 24


def figure_files(
    statistics: Sequence[TableStatistics], limits: Limits | None = None
) -> dict[str, dict[str, tuple[str, str]]]:
    """Table id -> title -> (file name, SVG), the largest tables first where there are `limits`.
    Tables without a done unit have none."""
    drawn = [found.table for found in statistics if found.table.machines]
    any_, whole = chosen(drawn, limits) if limits else ({t.key.id for t in drawn},) * 2
    style = looks([found.table for found in statistics])
    shown = [found for found in statistics if found.table.key.id in any_]

    def drawn_of(place: int) -> dict[str, tuple[str, str]]:
        key = shown[place].table.key
        name = f"{slug(key.dataset)}-{slug(key.budget.name)}-{key.id}"
        with quiet_style():
            return {
                title: (f"{name}-{kind}.svg", svg_text(figure))
                for title, kind, figure in _figures(shown[place], style, everything=key.id in whole)
            }

    units = sum(len(table.units) for table in drawn)
    files = spread(drawn_of, range(len(shown)), records=units)
    return {found.table.key.id: one for found, one in zip(shown, files, strict=True)}


def chosen(tables: Sequence[Table], limits: Limits) -> tuple[set[str], set[str]]:
    """Ids of tables with figures, and of those with all."""
    sizes = [(len(table.units) - len(table.failed), table.key.id) for table in tables]
    sizes.sort(key=lambda pair: (-pair[0], pair[1]))
    whole: set[str] = set()
    total = 0
    for size, name in sizes:
        total += size
        if total <= limits.units or not whole:
            whole.add(name)
    return {name for _, name in sizes[: limits.tables]} | whole, whole


def _figures(
    found: TableStatistics, style: Looks, *, everything: bool
) -> Iterator[tuple[str, str, Figure]]:
    table = found.table
    yield shots.TITLE, "shots", shots.shots_figure(table, style)
    if not everything:
        return
    others: tuple[tuple[str, str, Draw], ...] = (
        (pareto.TITLE, "pareto", lambda: pareto.pareto_figure(table, style)),
        (ranks.TITLE, "ranks", lambda: ranks.ranks_figure(found)),
        (pairs.TITLE, "pairs", lambda: pairs.pairs_figure(found)),
        (equivalence.SHORT, "equivalence", lambda: equivalence.equivalence_figure(table)),
        (curves.TITLE, "curves", lambda: curves.curves_figure(table, style)),
        (
            classes.title_of(classes.fullest(table)),
            "classes",
            lambda: classes.classes_figure(table, style),
        ),
    )
    for title, kind, draw in others:
        figure = draw()
        if figure is not None:
            yield title, kind, figure


def svg_text(figure: Figure) -> str:
    """A hundredth of a point is enough: smaller files, and no noise of another machine's floats."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return INDENT.sub("\n", LONG_NUMBER.sub(r"\1", buffer.getvalue()))
