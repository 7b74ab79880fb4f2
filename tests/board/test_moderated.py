"""Steadied variances: the prior is found again, and nothing is made up where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize
from scipy.special import polygamma

from bench.board.moderated import inverse_trigamma, moderate, steadied
from bench.board.paired import compare_pairs
from tests.board.test_paired import scores


@pytest.mark.parametrize("value", [1e-4, 0.1, 1.0, 7.0, 300.0])
def test_inverse_trigamma(value: float) -> None:
    root = optimize.brentq(lambda x: float(polygamma(1, x)) - value, 1e-3, 1e5)
    assert inverse_trigamma(value) == pytest.approx(root, rel=1e-6)


def test_the_prior_is_found_again() -> None:
    """Variances around 0.04 with 8 degrees of freedom of their own, seen with 4 each."""
    random = np.random.default_rng(0)
    true = 0.04 * 8 / random.chisquare(8, 20_000)
    seen = true * random.chisquare(4, 20_000) / 4
    found, freedom = moderate(seen, 4)
    assert freedom == pytest.approx(8 + 4, rel=0.1)
    np.testing.assert_allclose(found, (8 * 0.04 + 4 * seen) / 12, rtol=0.1)
    assert np.mean((found - true) ** 2) < 0.5 * np.mean((seen - true) ** 2)


def test_equal_variances_are_pooled() -> None:
    """No more spread than chance: all pairs get the common variance, with many degrees."""
    seen = 0.01 * np.random.default_rng(1).chisquare(20, 500) / 20
    found, freedom = moderate(seen, 20)
    assert freedom > 500
    np.testing.assert_allclose(found.mean(), 0.01, rtol=0.05)
    assert found.std() < 0.1 * seen.std()


def test_few_pairs_and_zeros_stay_as_they_are() -> None:
    two = np.array([0.1, 0.4])
    found, freedom = moderate(two, 2)
    np.testing.assert_array_equal(found, two)
    assert freedom == 2
    with_zero, _ = moderate(np.array([0.0, 0.1, 0.2, 0.3]), 2)
    assert with_zero[0] == 0.0
    assert (with_zero[1:] > 0).all()


def test_only_the_draws_part_is_steadied() -> None:
    random = np.random.default_rng(2)
    rows = [scores(random.uniform(0.3, 0.7, (3, 10, 1))) for _ in range(5)]
    pairs = [(a, b) for a in range(5) for b in range(a + 1, 5)]
    own = [one for one in compare_pairs(rows, pairs).values() if one is not None]
    found = steadied(own)
    variances, freedom = moderate(np.array([one.by_draw for one in own], float), 2)
    for before, after, variance in zip(own, found, variances, strict=True):
        assert before.by_patient is not None
        total = variance + before.by_patient
        assert after.error**2 == pytest.approx(total)
        assert after.freedom == pytest.approx(
            total**2 / (variance**2 / freedom + before.by_patient**2 / 9)
        )
        assert (after.low, after.high, after.p) == (before.low, before.high, before.p)


def test_one_draw_has_nothing_to_steady() -> None:
    random = np.random.default_rng(3)
    rows = [scores(random.uniform(0.3, 0.7, (1, 10, 1))) for _ in range(3)]
    own = [one for one in compare_pairs(rows, [(0, 1), (0, 2), (1, 2)]).values() if one]
    assert steadied(own) == own
