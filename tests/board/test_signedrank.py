"""Wilcoxon and Holm against published examples, scipy and the enumeration of all signs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from bench.board.signedrank import holm, rank_sides, signed_rank, smallest_p

NAN = float("nan")


def by_enumeration(values: list[float]) -> float:
    """Two-sided: twice the smaller tail over all assignments of signs."""
    ranks = stats.rankdata(np.abs(values))
    seen = min(
        sum(r for r, v in zip(ranks, values, strict=True) if v > 0),
        sum(r for r, v in zip(ranks, values, strict=True) if v < 0),
    )
    sums = [
        sum(r for r, sign in zip(ranks, signs, strict=True) if sign)
        for signs in itertools.product([False, True], repeat=len(values))
    ]
    return min(1.0, 2 * sum(s <= seen + 1e-9 for s in sums) / len(sums))


def test_darwin_s_maize() -> None:
    """Fisher's paired plants, in eighths of an inch: the rank sum of the negative ones is 24 of
    120, which tables give as p = 0.041."""
    heights = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    found = signed_rank(np.array([heights], float))
    assert found == pytest.approx([stats.wilcoxon(heights, method="exact").pvalue])
    assert found == pytest.approx([0.0413], abs=1e-4)


def test_by_hand_with_five_patients() -> None:
    """All positive: 2 of 32 sign assignments are as extreme. One negative of rank 1: 4 of 32."""
    found = signed_rank(np.array([[1, 2, 3, 4, 5], [-1, 2, 3, 4, 5]], float))
    assert found == pytest.approx([2 / 32, 4 / 32])
    assert smallest_p(5) == 2 / 32


def test_the_side_is_that_of_the_larger_rank_sum() -> None:
    values = np.array([[1, 2, 3, 4], [-9, 1, 2, 3], [-4, 1, 0, 0], [0, 0, 0, 0], [-2, NAN, 1, 1]])
    assert list(rank_sides(values)) == [1, 1, -1, 0, 0]  # -9 is but a rank of 4 against 1 + 2 + 3
    random = np.random.default_rng(1)
    many = random.integers(-5, 6, (50, 9)).astype(float)
    ranks = [stats.rankdata(np.abs(line[line != 0])) * np.sign(line[line != 0]) for line in many]
    assert list(rank_sides(many)) == [np.sign(line.sum()) for line in ranks]


def test_ties_are_exact() -> None:
    random = np.random.default_rng(0)
    values = random.integers(-4, 5, (20, 8)).astype(float)
    values[values == 0] = 2
    expected = [by_enumeration(list(line)) for line in values]
    np.testing.assert_allclose(signed_rank(values), expected, rtol=1e-12)


def test_zeros_and_absent_patients_are_left_out() -> None:
    values = np.array([[0.1, 0.3, 0.0, NAN, -0.2, 0.5], [0, 0, NAN, 0, 0, 0]])
    assert signed_rank(values) == pytest.approx([by_enumeration([0.1, 0.3, -0.2, 0.5]), 1.0])


def test_rounding_errors_are_ties() -> None:
    noisy = np.array([[0.3, 0.1 + 0.2, -0.3, 0.7, 0.1]])
    assert signed_rank(noisy) == pytest.approx([by_enumeration([0.3, 0.3, -0.3, 0.7, 0.1])])


def test_many_patients_are_scipy_s_approximation() -> None:
    values = np.random.default_rng(1).normal(0.2, 1, (3, 80))
    expected = [stats.wilcoxon(line, method="asymptotic").pvalue for line in values]
    np.testing.assert_allclose(signed_rank(values), expected)


def test_holm_by_hand() -> None:
    """Holm (1979): 0.01 x 4, 0.02 x 3, 0.03 x 2, then never less than the one before."""
    found = holm(np.array([0.03, 0.01, 0.04, 0.02]))
    np.testing.assert_allclose(found, [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm(np.array([0.9, 0.8])), [1.0, 1.0])
    assert holm(np.array([])).shape == (0,)
