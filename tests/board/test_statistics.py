"""A table's pairs, families, tied groups and ranks, from records."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bench.board.moderated import steadied
from bench.board.paired import ALPHA, compare_pairs
from bench.board.reading import read_units
from bench.board.signedrank import holm
from bench.board.statistics import TableStatistics, statistics_of
from bench.board.tables import Column, tables_of
from bench.record.schema import Record
from tests.board.factory import record, save
from tests.board.test_paired import scores

PATIENTS = 12
PAIRS = [(a, b) for a in range(10) for b in range(a + 1, 10)]


def made(method: str, base: float, *, shots: str = "1", draws: int = 2, **kwargs: object) -> list:
    """`base`, patients apart, and a little of the method's own that no patient shares."""
    own = np.random.default_rng(len(method))
    noise = own.uniform(-0.01, 0.01, (draws, PATIENTS))
    level = np.linspace(0, 0.2, PATIENTS)
    return [
        record(
            [[round(float(base + level[p] + noise[d, p]), 3)] for p in range(PATIENTS)],
            method=method,
            shots=shots,
            draw=str(d),
            **kwargs,
        )
        for d in range(draws)
    ]


def found_in(results: Path, *records: Record) -> TableStatistics:
    save(results, *records)
    [table] = tables_of(read_units(results))
    return statistics_of(table)


def test_tied_groups_ranks_and_detectable_difference(tmp_path: Path) -> None:
    found = found_in(tmp_path, *made("best", 0.6), *made("equal", 0.601), *made("poor", 0.3))
    column = found.columns[Column("1", "")]
    assert {name: s.letters for name, s in column.standings.items()} == {
        "best": "a",
        "equal": "a",
        "poor": "b",
    }
    poor = column.standings["poor"].ranks
    assert poor is not None
    assert (poor.rank, poor.low, poor.high) == (3, 3, 3)
    assert (column.pairs, column.family, column.patients, column.draws) == (3, 3, 12, 2)
    assert column.tau is not None
    assert column.tau > 0.3
    assert column.detectable is not None
    assert 0.001 < column.detectable < 0.3


def test_holm_runs_over_all_pairs_of_the_table(tmp_path: Path) -> None:
    found = found_in(
        tmp_path,
        *(r for shots in ("1", "5") for r in made("alpha", 0.6, shots=shots)),
        *(r for shots in ("1", "5") for r in made("be", 0.6, shots=shots)),
        *(r for shots in ("1", "5") for r in made("gam", 0.59, shots=shots)),
        *made("control_x", 0.1, block="control"),
        *made("control_yy", 0.1, block="control"),
    )
    ranked = [pair for pair in found.pairs if pair.family == "ranked"]
    apart = [pair for pair in found.pairs if pair.family == "apart"]
    assert len(ranked) == 6
    # each ranked row against each control at 1 shot; never a control against a control
    assert len(apart) == 6
    assert {pair.first.variant.block for pair in apart} == {"method"}
    expected = holm(np.array([pair.comparison.p for pair in ranked]))
    np.testing.assert_allclose([pair.p_holm for pair in ranked], expected)
    first = ranked[0]
    values = [
        np.mean([u.dice[:, 0] for u in row.cells[first.column].units], axis=0)
        for row in (first.first, first.second)
    ]
    assert first.comparison.p == pytest.approx(stats.wilcoxon(values[0] - values[1]).pvalue)
    assert first.comparison.effect >= 0  # the better row is the first


def test_too_few_patients_tell_nothing_apart(tmp_path: Path) -> None:
    few = [
        record([[base + 0.01 * p] for p in range(4)], method=method)
        for method, base in (("alpha", 0.9), ("beta", 0.1))
    ]
    found = found_in(tmp_path, *few)
    [pair] = found.pairs
    assert pair.comparison.surely_not_zero
    assert pair.p_holm == pytest.approx(2 / 16)
    assert not pair.differ
    column = found.columns[Column("1", "")]
    assert column.detectable is None
    assert {s.letters for s in column.standings.values()} == {"a"}


def test_rows_without_any_variance_do_not_make_it_look_sharp(tmp_path: Path) -> None:
    """Three rows that found nothing: their pairs differ by 0 with an error of 0."""
    zero = [record([[0.0]] * PATIENTS, method=f"zero{i}", draw=str(d)) for i in "abc" for d in "01"]
    found = found_in(tmp_path, *zero, *made("alpha", 0.5))
    column = found.columns[Column("1", "")]
    assert column.detectable is not None
    assert column.detectable > 0.01


def test_a_draw_that_turns_the_order_is_no_sure_difference(tmp_path: Path) -> None:
    """The test sees patients alone and is sure; the interval knows of the draws and is not."""
    level = np.linspace(0, 0.1, PATIENTS)
    records = [
        record([[base + x] for x in level], method=method, draw=str(draw))
        for method, bases in (("alpha", (0.6, 0.5)), ("beta", (0.4, 0.52)))
        for draw, base in enumerate(bases)
    ]
    [pair] = found_in(tmp_path, *records).pairs
    assert pair.p_holm < ALPHA
    assert not pair.comparison.surely_not_zero
    assert not pair.differ


def test_a_difference_never_stands_beside_an_interval_over_zero(tmp_path: Path) -> None:
    """Steadied by other pairs, both tests may be sure of what the pair's own draws leave open."""
    found = found_in(tmp_path, *made("alpha", 0.7, draws=3), *made("beta", 0.5, draws=3))
    sure = next(pair for pair in found.pairs if pair.p_holm < 1)
    tested = replace(sure, p_holm=0.01, p_draws_holm=0.01)
    assert replace(tested, comparison=replace(sure.comparison, low=0.01, high=0.2)).differ
    turned = replace(sure.comparison, effect=-0.1, low=-0.2, high=-0.01, side=-1)
    assert replace(tested, comparison=turned).differ
    assert not replace(tested, comparison=replace(sure.comparison, low=-0.01, high=0.2)).differ
    assert not replace(tested, comparison=replace(sure.comparison, low=None, high=None)).differ


def test_two_rows_differ_only_where_ranks_and_mean_agree(tmp_path: Path) -> None:
    found = found_in(tmp_path, *made("alpha", 0.7, draws=3), *made("beta", 0.5, draws=3))
    sure = replace(found.pairs[0], p_holm=0.01, p_draws_holm=0.01)
    assert sure.differ
    assert not replace(sure, comparison=replace(sure.comparison, side=-1)).differ


def test_equal_methods_are_rarely_told_apart() -> None:
    """Ten equal methods that draws move by five points each: Wilcoxon over patients takes the luck
    of three draws for a difference nearly always; both tests together in about 6 of 100 tables."""
    random = np.random.default_rng(11)
    by_patients = together = 0
    for _ in range(100):
        values = 0.6 + random.normal(0, 0.05, (10, 3, 1)) + random.normal(0, 0.01, (1, 1, 12))
        values = values + random.normal(0, 0.02, (10, 3, 12))
        found = list(compare_pairs([scores(v[:, :, None]) for v in values], PAIRS).values())
        pairs = [one for one in found if one is not None]
        tests = holm(np.array([one.p for one in pairs]))
        draws = holm(np.array([one.p_draws for one in steadied(pairs)]))
        by_patients += bool((tests < ALPHA).any())
        together += bool(((tests < ALPHA) & (draws < ALPHA)).any())
    assert by_patients > 90
    assert together <= 12


def test_incomplete_cells_take_no_part(tmp_path: Path) -> None:
    found = found_in(tmp_path, *made("alpha", 0.6), *made("beta", 0.5, draws=1))
    assert found.pairs == ()
    assert set(found.columns[Column("1", "")].standings) == {"alpha"}


def test_the_order_of_records_does_not_matter(tmp_path: Path) -> None:
    records = [*made("alpha", 0.5), *made("bet", 0.51), *made("gammas", 0.49)]
    save(tmp_path, *records)
    units = read_units(tmp_path)
    random.Random(0).shuffle(units)
    [straight] = tables_of(read_units(tmp_path))
    [mixed] = tables_of(units)
    one, two = statistics_of(straight), statistics_of(mixed)
    assert [vars(p.comparison) for p in one.pairs] == [vars(p.comparison) for p in two.pairs]
    assert one.columns[Column("1", "")].standings == two.columns[Column("1", "")].standings
