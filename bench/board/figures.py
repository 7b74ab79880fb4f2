"""The figures of every table, as SVG."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from bench.board.plots import classes, curves, equivalence, pairs, pareto, ranks, shots
from bench.board.plots.style import Looks, looks, quiet_style
from bench.board.spreading import spread
from bench.board.statistics import TableStatistics
from bench.board.text import slug

Draw = Callable[[], Figure | None]
Files = dict[str, tuple[str, str]]
"""Of one table: title -> (file name, SVG)."""
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
) -> dict[str, Files]:
    """Table id -> its figures, the largest tables first where there are `limits`. Tables without a
    done unit have none."""
    by_id = {found.table.key.id: found for found in statistics}
    done = {key: len(one.table.units) - len(one.table.failed) for key, one in by_id.items()}
    style = looks([found.table.places for found in statistics])
    return drawn(done, style, by_id.__getitem__, limits)


def drawn(
    done: Mapping[str, int],
    style: Looks,
    found_of: Callable[[str], TableStatistics],
    limits: Limits | None,
) -> dict[str, Files]:
    """The same of tables that are made where they are drawn. `done`: table id -> done units."""
    sizes = {key: count for key, count in done.items() if count}
    any_, whole = _chosen(sizes, limits) if limits else (set(sizes), set(sizes))

    def drawn_of(one: str) -> Files:
        found = found_of(one)
        key = found.table.key
        name = f"{slug(key.dataset)}-{slug(key.budget.name)}-{key.id}"
        with quiet_style():
            return {
                title: (f"{name}-{kind}.svg", svg_text(figure))
                for title, kind, figure in _figures(found, style, everything=one in whole)
            }

    shown = [one for one in sizes if one in any_]
    return dict(zip(shown, spread(drawn_of, shown, records=sum(sizes.values())), strict=True))


def _chosen(sizes: Mapping[str, int], limits: Limits) -> tuple[set[str], set[str]]:
    """Ids of tables with figures, and of those with all."""
    order = sorted(sizes, key=lambda one: (-sizes[one], one))
    whole: set[str] = set()
    total = 0
    for one in order:
        total += sizes[one]
        if total <= limits.units or not whole:
            whole.add(one)
    return {*order[: limits.tables], *whole}, whole


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
