"""The median of times of which some were not reached."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.board.censored import Median, censored_median


def test_without_unreached_times_it_is_the_median() -> None:
    random = np.random.default_rng(0)
    for count in range(1, 12):
        times = random.uniform(0, 50, count).tolist()
        assert censored_median(times, []) == Median(
            pytest.approx(np.median(times)), False, count, 0
        )


def test_ties() -> None:
    assert censored_median([4, 4, 4, 9], []) == Median(4, False, 4, 0)
    assert censored_median([4, 4, 9, 9], []) == Median(6.5, False, 4, 0)


def test_by_hand() -> None:
    assert censored_median([5, 8], [20]) == Median(8, False, 3, 1)
    assert censored_median([5], [20, 30]) == Median(20, True, 3, 2)  # the middle one is past 20
    assert censored_median([5], [20]) == Median(12.5, True, 2, 1)  # between 5 and more than 20
    assert censored_median([], [20, 20, 20]) == Median(20, True, 3, 3)
    assert censored_median([3, 10], [4]) == Median(10, False, 3, 1)  # at 10 nobody is left
    assert censored_median([], []) is None


def test_against_scipy() -> None:
    """Where the survival curve falls below one half, it does so at our median."""
    random = np.random.default_rng(1)
    reached_ones = 0
    for _ in range(200):
        reached = random.uniform(0, 50, random.integers(1, 8)).tolist()
        unreached = random.uniform(0, 50, random.integers(1, 8)).tolist()
        curve = stats.ecdf(stats.CensoredData(uncensored=reached, right=unreached)).sf
        below = curve.quantiles[curve.probabilities < 0.5 - 1e-9]
        at_half = curve.quantiles[np.abs(curve.probabilities - 0.5) <= 1e-9]
        found = censored_median(reached, unreached)
        assert found is not None
        assert found.beyond == (len(below) == 0)
        if not found.beyond:
            reached_ones += 1
            if len(at_half):  # flat at one half until the next event
                following = min(time for time in reached if time > at_half[0])
                assert found.value == pytest.approx((at_half[0] + following) / 2)
            else:
                assert found.value == pytest.approx(below[0])
    assert reached_ones > 50


def test_a_published_trial() -> None:
    """Remission of leukaemia, Freireich et al. 1963: median 23 weeks with the drug, 8 without."""
    drug = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    still = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
    assert censored_median(drug, still) == Median(23, False, 21, 12)
    assert censored_median(placebo, []) == Median(8, False, 21, 0)
