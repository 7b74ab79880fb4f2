"""The CSV tables of statistics: pairwise, ranks, equivalence, times, ledger, doubts.

Effects and intervals are shares of 1, as in the other files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from bench.board.censored import Median
from bench.board.csvtext import flag, number
from bench.board.doubts import doubts_of
from bench.board.equivalence import equivalences
from bench.board.interval import FEW_PATIENTS
from bench.board.ledger import TARGETS, ledgers
from bench.board.statistics import TableStatistics
from bench.board.text import plain
from bench.board.times import CLOCKS, times_of
from bench.board.units import TableKey

TABLE = ("table", "dataset", "fingerprint", "split", "backbone", "budget", "val", "protocol")
Line = tuple[object, ...]


def identity(key: TableKey) -> Line:
    return (
        *(key.id, plain(key.dataset), key.fingerprint, key.split, key.backbone),
        *(key.budget.name, key.val, key.protocol),
    )


PAIRWISE = (
    *("shots", "named_draw", "family", "first", "second", "second_block", "effect"),
    *("low", "high", "p", "p_holm", "p_draws", "p_draws_holm", "differ", "draws", "patients"),
)


def _pairwise(found: TableStatistics) -> Iterator[Line]:
    return (
        (
            *(*identity(found.table.key), pair.column.shots, pair.column.draw, pair.family),
            *(pair.first.label, pair.second.label, pair.second.variant.block),
            *(number(pair.comparison.effect), number(pair.comparison.low)),
            *(number(pair.comparison.high), number(pair.comparison.p), number(pair.p_holm)),
            *(number(pair.steadied.p_draws), number(pair.p_draws_holm)),
            *(flag(pair.differ), pair.comparison.draws, pair.comparison.patients),
        )
        for pair in found.pairs
    )


RANKS = (
    *("shots", "named_draw", "row", "letters", "rank", "rank_low", "rank_high"),
    *("best_share", "rows", "draws", "patients", "few_patients", "pairs_of_the_table"),
    *("stability_tau", "detectable_difference"),
)


def _ranks(found: TableStatistics) -> Iterator[Line]:
    return (
        (
            *(*identity(found.table.key), column.shots, column.draw, label, standing.letters),
            *_range(standing.ranks),
            *(len(ranking.standings), ranking.draws, ranking.patients),
            *(flag(ranking.patients < FEW_PATIENTS), ranking.family),
            *(number(ranking.tau), number(ranking.detectable)),
        )
        for column, ranking in found.columns.items()
        if len(ranking.standings) > 1
        for label, standing in ranking.standings.items()
    )


def _range(ranks: object) -> Line:
    return tuple(number(getattr(ranks, name, None)) for name in ("rank", "low", "high", "best"))


EQUIVALENCE = (
    *("row", "shots", "other", "other_shots", "low", "high"),
    *("other_first", "other_last"),
)


def _equivalence(found: TableStatistics) -> Iterator[Line]:
    return (
        (
            *(*identity(found.table.key), one.row.label, f"{one.shots:g}{one.kind}"),
            *(one.other.label, _count(one.value), _count(one.low), _count(one.high)),
            *(f"{one.least:g}{one.kind}", f"{one.most:g}{one.kind}"),
        )
        for one in equivalences(found.table)
    )


def _count(value: float) -> str:
    return "not reached" if np.isinf(value) else number(value)


TIMES = (
    *("block", "row", "shots", "named_draw", "event", "units", "unreached"),
    *(name for clock in CLOCKS for name in (clock, f"{clock}_beyond")),
)


def _times(found: TableStatistics) -> Iterator[Line]:
    return (
        (
            *(*identity(found.table.key), row.variant.block, row.label, column.shots, column.draw),
            *(times.event, times.epochs.count, times.epochs.unreached),
            *(text for clock in CLOCKS for text in _median(getattr(times, clock))),
        )
        for row, column, cell in found.table.every_cell()
        if cell.complete
        for times in times_of(cell.units)
    )


def _median(median: Median | None) -> tuple[str, str]:
    return ("", "") if median is None else (number(median.value), flag(median.beyond))


LEDGER = (
    *("machine", "device", "block", "row", "shots", "named_draw", "units"),
    *("draws_required", "test_cases", "pretraining_seconds", "adaptation_seconds"),
    *("inference_seconds", *(f"target_seconds_of_{m}" for m in TARGETS)),
)


def _ledger(found: TableStatistics) -> Iterator[Line]:
    return (
        (
            *identity(found.table.key),
            *(ledger.machine.fingerprint, plain(ledger.machine.device)),
            *(row.variant.block, row.label, column.shots, column.draw, ledger.units),
            *(len(cell.required), number(ledger.cases)),
            *(number(ledger.pretraining), number(ledger.adaptation), number(ledger.inference)),
            *(number(ledger.amortised[m]) for m in TARGETS),
        )
        for row, column, cell in found.table.every_cell()
        for ledger in ledgers(cell)
    )


DOUBTS = ("doubt", "row", "shots", "named_draw", "beside")


def _doubts(found: TableStatistics) -> Iterator[Line]:
    return (
        (
            *(*identity(found.table.key), doubt.kind, doubt.row.label),
            *(doubt.column.shots, doubt.column.draw, doubt.beside),
        )
        for doubt in doubts_of(found)
    )


Rows = tuple[tuple[str, ...], Callable[[TableStatistics], Iterator[Line]]]
"""The columns after those of the table, and a table's lines."""

STATISTICS: dict[str, Rows] = {
    "pairwise.csv": (PAIRWISE, _pairwise),
    "ranks.csv": (RANKS, _ranks),
    "equivalence.csv": (EQUIVALENCE, _equivalence),
    "times.csv": (TIMES, _times),
    "ledger.csv": (LEDGER, _ledger),
    "doubts.csv": (DOUBTS, _doubts),
}
