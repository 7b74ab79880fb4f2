"""What can be said of one table's differences: pairs with Holm's correction, tied groups, ranks.

A family is what Holm corrects over. All pairs of ranked rows of one table, of all its columns, are
one; all pairs of a ranked row with a control, an oracle or a row that has seen the patients are
another. Wilcoxon's test sees patients alone: where draws move the two rows unlike one another, it
is far too sure. So two rows differ only where a two-level t test, which knows of the draws, says so
as well, and both are corrected. Its draws' variances are steadied over the column's pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from bench.board.letters import letters
from bench.board.moderated import steadied
from bench.board.order import draw_order
from bench.board.paired import (
    ALPHA,
    Comparison,
    Pair,
    Scores,
    compare_pairs,
    detectable_errors,
    scores_of,
)
from bench.board.ranking import RankRange, rank_rows
from bench.board.signedrank import holm, smallest_p
from bench.board.tables import Column, Row, Table

Family = Literal["ranked", "apart"]


@dataclass(frozen=True, eq=False)
class Pairwise:
    """Two rows of one column; the first is the better one, or the ranked one of a pair apart.

    steadied               the comparison with its error steadied, see `moderated.py`
    p_holm, p_draws_holm   Wilcoxon's p and that of the two-level t test, corrected
    """

    column: Column
    first: Row
    second: Row
    family: Family
    comparison: Comparison
    steadied: Comparison
    p_holm: float
    p_draws_holm: float

    @property
    def differ(self) -> bool:
        """By both tests, which must be for the same row, and by the interval that is printed beside
        them: steadied by the other pairs, an error may be smaller than the pair's own draws allow.
        """
        sure = self.p_holm < ALPHA and self.p_draws_holm < ALPHA
        return sure and self.comparison.surely_not_zero and self.comparison.one_sided


@dataclass(frozen=True)
class Standing:
    """A ranked row's place in a column. letters: rows that share one were not told apart."""

    letters: str
    ranks: RankRange | None


@dataclass(frozen=True, eq=False)
class ColumnStatistics:
    """One ranking: the complete ranked rows of a column.

    standings   row label -> its place
    tau         how stable the order is, 1 = it would always be the same
    detectable  the smallest difference of two rows that the t test of this ranking finds in 8 of 10
                cases, at the level of Holm's first step: median over its pairs. None where there is
                no pair, and where the test could not reach that level whatever the difference
    patients, draws, pairs   of the ranking; `family` the pairs that Holm corrects over
    """

    column: Column
    standings: dict[str, Standing]
    tau: float | None
    detectable: float | None
    patients: int
    draws: int
    pairs: int
    family: int


@dataclass(frozen=True, eq=False)
class TableStatistics:
    table: Table
    pairs: tuple[Pairwise, ...]
    columns: dict[Column, ColumnStatistics]


def statistics_of(table: Table, score: str = "dice") -> TableStatistics:
    """Over the complete cells; rows in the order of the column's means, then of their names."""
    sorted_rows = {column: _by_mean(table, column, score) for column in table.columns}
    raw = [pair for column, rows in sorted_rows.items() for pair in _compared(column, rows)]
    pairs: list[Pairwise] = []
    sizes: dict[Family, int] = {}
    for family in ("ranked", "apart"):
        members = [pair for pair in raw if pair.family == family]
        sizes[family] = len(members)
        tests = holm(np.array([pair.comparison.p for pair in members]))
        draws = holm(np.array([pair.steadied.p_draws for pair in members]))
        pairs += [
            replace(member, p_holm=float(p), p_draws_holm=float(q))
            for member, p, q in zip(members, tests, draws, strict=True)
        ]
    columns = {
        column: _ranking(table, column, _block(rows), pairs, sizes["ranked"], score)
        for column, rows in sorted_rows.items()
    }
    return TableStatistics(table, tuple(pairs), columns)


Scored = list[tuple[Row, Scores]]


def _by_mean(table: Table, column: Column, score: str) -> Scored:
    cells = {row.label: row.cells[column] for row in table.rows}
    complete = [row for row in table.rows if getattr(cells[row.label], score) is not None]
    draws = sorted({d for row in complete for d in cells[row.label].draws}, key=draw_order)
    units = {row.label: cells[row.label].units for row in complete}
    patients = tuple(
        sorted({p for group in units.values() for unit in group for p in unit.patients})
    )
    found = [(row, scores_of(units[row.label], draws, patients, score)) for row in complete]
    return sorted(found, key=lambda pair: (-round(pair[1].mean, 9), pair[0].label))


def _block(rows: Scored) -> Scored:
    return [pair for pair in rows if pair[0].variant.block == "method"]


def _compared(column: Column, rows: Scored) -> list[Pairwise]:
    """Not yet corrected. Pairs without a ranked row are of no interest to a ranking."""
    blocks = [row.variant.block == "method" for row, _ in rows]
    wanted = []
    for a, b in combinations(range(len(rows)), 2):
        if blocks[a] or blocks[b]:
            wanted.append((a, b) if blocks[a] else (b, a))
    found = compare_pairs([scores for _, scores in rows], wanted)
    families: dict[Family, list[Pair]] = {"ranked": [], "apart": []}
    for a, b in wanted:
        families["ranked" if blocks[a] and blocks[b] else "apart"].append((a, b))
    return [
        pair
        for family, members in families.items()
        for pair in _family(column, rows, family, {place: found[place] for place in members})
    ]


def _family(
    column: Column, rows: Scored, family: Family, found: Mapping[Pair, Comparison | None]
) -> list[Pairwise]:
    there = {pair: comparison for pair, comparison in found.items() if comparison is not None}
    sure = steadied(list(there.values()))
    return [
        Pairwise(
            column=column,
            first=rows[a][0],
            second=rows[b][0],
            family=family,
            comparison=comparison,
            steadied=steady,
            p_holm=1.0,
            p_draws_holm=1.0,
        )
        for ((a, b), comparison), steady in zip(there.items(), sure, strict=True)
    ]


def _ranking(
    table: Table, column: Column, rows: Scored, pairs: Sequence[Pairwise], family: int, score: str
) -> ColumnStatistics:
    here = [pair for pair in pairs if pair.column == column and pair.family == "ranked"]
    apart = {(pair.first.label, pair.second.label) for pair in here if pair.differ}
    names = letters([row.label for row, _ in rows], apart)
    ranked = rank_rows([scores for _, scores in rows], f"{table.key.id} {column} {score} ranks")
    ranges = ranked.ranges if ranked else (None,) * len(rows)
    patients = min((pair.comparison.patients for pair in here), default=0)
    return ColumnStatistics(
        column=column,
        standings={
            row.label: Standing(names[row.label], place)
            for (row, _), place in zip(rows, ranges, strict=True)
        },
        tau=ranked.tau if ranked else None,
        detectable=_detectable(here, family),
        patients=patients,
        draws=min((pair.comparison.draws for pair in here), default=0),
        pairs=len(here),
        family=family,
    )


def reachable(pairs: Sequence[Pairwise], family: int) -> list[Pairwise]:
    """Those with so many patients that Holm's first step, ALPHA divided by the family's size, could
    be passed if all agreed."""
    level = ALPHA / max(family, 1)
    return [pair for pair in pairs if smallest_p(pair.comparison.patients) < level]


def _detectable(pairs: Sequence[Pairwise], family: int) -> float | None:
    level = ALPHA / max(family, 1)
    able = [pair.steadied for pair in reachable(pairs, family)]
    # Two rows that never vary tell nothing of chance.
    moving = [one for one in able if one.low is not None and one.error > 0]
    if not moving:
        return None
    errors, freedom = np.array([(one.error, one.freedom) for one in moving]).T
    return float(np.median(errors * detectable_errors(freedom, level)))
