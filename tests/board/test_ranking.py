"""Ranks that are drawn again: against scipy, and against tables whose order is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.board.ranking import mean_tau, rank_rows, weights
from tests.board.test_paired import scores

NAN = float("nan")


def test_tau_is_scipy_s() -> None:
    random = np.random.default_rng(0)
    observed = random.integers(0, 6, 8).astype(float)
    drawn = random.integers(0, 6, (50, 8)).astype(float)
    expected = np.mean([stats.kendalltau(observed, line).statistic for line in drawn])
    assert mean_tau(observed, drawn) == pytest.approx(expected)


def test_tau_by_hand() -> None:
    """Of three pairs one is the other way round: (2 - 1) / 3."""
    assert mean_tau(np.array([3.0, 2, 1]), np.array([[3.0, 1, 2]])) == pytest.approx(1 / 3)
    assert mean_tau(np.array([1.0, 1.0]), np.array([[3.0, 1]])) is None


def test_rows_far_apart_keep_their_ranks() -> None:
    level = np.linspace(-0.05, 0.05, 10)[None, :, None]
    found = rank_rows([scores(level + base) for base in (0.2, 0.8, 0.5)], "x")
    assert found is not None
    assert [(r.rank, r.low, r.high, r.best) for r in found.ranges] == [
        *((3, 3, 3, 0.0), (1, 1, 1, 1.0), (2, 2, 2, 0.0)),
    ]
    assert found.tau == pytest.approx(1.0)


def test_rows_alike_share_all_ranks() -> None:
    random = np.random.default_rng(2)
    rows = [scores(random.uniform(0.4, 0.6, (3, 10, 1))) for _ in range(4)]
    found = rank_rows(rows, "x")
    assert found is not None
    assert sorted(r.rank for r in found.ranges) == [1, 2, 3, 4]
    assert all(r.low <= r.rank <= r.high for r in found.ranges)
    assert sum(r.high - r.low for r in found.ranges) >= 4
    assert found.tau is not None
    assert found.tau < 0.8


def test_equal_rows_share_the_better_rank() -> None:
    same = np.random.default_rng(3).uniform(0, 1, (2, 5, 1))
    found = rank_rows([scores(same), scores(same), scores(same - 0.5)], "x")
    assert found is not None
    assert [(r.rank, r.low, r.high) for r in found.ranges] == [(1, 1, 1), (1, 1, 1), (3, 3, 3)]


def test_the_cells_seed_the_draws_and_nothing_else_does() -> None:
    values = np.random.default_rng(4).uniform(0, 1, (3, 3, 9, 2))
    rows = [scores(v) for v in values]
    first, again, turned = rank_rows(rows, "x"), rank_rows(rows, "x"), rank_rows(rows[::-1], "x")
    other = rank_rows(rows, "y")
    assert first is not None
    assert again is not None
    assert turned is not None
    assert other is not None
    assert first.ranges == again.ranges == turned.ranges[::-1]
    assert first.tau == again.tau
    assert first.ranges != other.ranges


@pytest.mark.parametrize(("draws", "patients"), [(1, 8), (3, 1), (3, 8), (2, 30)])
def test_means_drawn_again_vary_as_the_interval_says(draws: int, patients: int) -> None:
    """The variance of a two-level mean: that of draws and of patients, added (plus the rest's)."""
    from bench.board.interval import two_level
    from bench.board.ranking import means_drawn_again

    effects = np.random.default_rng(6)
    values = 0.5 + effects.normal(0, 0.1, (draws, 1)) + effects.normal(0, 0.1, (1, patients))
    row = scores(values[:, :, None])
    drawn = means_drawn_again(row.means[None], row.parts[None], "z")[:, 0]
    assert drawn.mean() == pytest.approx(values.mean(), abs=0.01)
    assert drawn.var() == pytest.approx(float(two_level(values).variance), rel=0.15)


def test_weights_sum_to_one() -> None:
    found = weights(4, np.random.default_rng(0))
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(weights(1, np.random.default_rng(0)), 1)


def test_nothing_to_rank() -> None:
    one = scores([[[0.5]]])
    assert rank_rows([], "x") is None
    assert rank_rows([scores(np.zeros((2, 2, 1)))], "x") is None
    assert rank_rows([one, one], "x") is None
    assert rank_rows([scores([[[NAN]], [[0.5]]]), scores([[[0.5]], [[NAN]]])], "x") is None
