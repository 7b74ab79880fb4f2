"""Means and intervals against hand-computed tables and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.board.interval import across_seeds, patient_values, summarise

NAN = float("nan")

Sds = tuple[float, float, float]


def test_one_draw_is_the_t_interval_over_patients() -> None:
    dice = np.array([0.5, 0.6, 0.7, 0.9, 0.4])
    found = summarise(dice[None, :, None])
    low, high = stats.t.interval(0.95, 4, loc=dice.mean(), scale=stats.sem(dice))
    assert found is not None
    assert (found.mean, found.low, found.high) == pytest.approx((0.62, low, high), abs=1e-12)
    assert (found.draws, found.patients, found.draw_variance) == (1, 5, None)


def test_identical_patients_give_the_t_interval_over_draws() -> None:
    draws = np.array([0.5, 0.55, 0.65])
    found = summarise(np.broadcast_to(draws[:, None, None], (3, 7, 2)))
    low, high = stats.t.interval(0.95, 2, loc=draws.mean(), scale=stats.sem(draws))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    assert found.patient_variance == pytest.approx(0)


def test_both_levels_by_hand() -> None:
    """Two draws, two patients: every number below was worked out on paper."""
    scores = np.array([[[0.4], [0.6]], [[0.5], [0.9]]])
    found = summarise(scores)
    assert found is not None
    assert found.mean == pytest.approx(0.6)
    assert found.draw_variance == pytest.approx(0.01)  # means 0.5 and 0.7: variance 0.02, over 2
    assert found.patient_variance == pytest.approx(0.0225)  # means 0.45 and 0.75: 0.045, over 2
    freedom = 0.0325**2 / (0.01**2 + 0.0225**2)
    reach = stats.t.ppf(0.975, freedom) * 0.0325**0.5
    assert (found.low, found.high) == (0.0, 1.0)  # wider than the scale: cut at its ends
    assert reach > 0.6


def test_one_patient_and_one_draw_have_no_interval() -> None:
    found = summarise(np.array([[[0.7]]]))
    assert found is not None
    assert (found.mean, found.low, found.high) == (0.7, None, None)


def test_left_out_classes_are_means_of_class_means() -> None:
    """Class one is scored in four patients, class two in two of them."""
    scores = np.array([[[0.8, 0.2], [0.6, NAN], [0.4, 0.4], [0.2, NAN]]])
    found = summarise(scores)
    assert found is not None
    assert found.mean == pytest.approx((0.5 + 0.3) / 2)
    assert patient_values(scores).mean() == pytest.approx(0.4)
    assert found.mean != pytest.approx(np.nanmean(scores))  # the mean over all scores is another


def test_a_patient_without_any_score_does_not_count() -> None:
    with_empty = summarise(np.array([[[0.5], [NAN], [0.7]]]))
    assert with_empty == summarise(np.array([[[0.5], [0.7]]]))
    assert with_empty is not None
    assert with_empty.patients == 2


def test_a_class_that_one_draw_never_scored() -> None:
    scores = np.array([[[0.8, 0.2], [0.6, 0.4]], [[0.8, NAN], [0.6, NAN]]])
    found = summarise(scores)
    assert found is not None
    assert found.mean == pytest.approx((0.5 + 0.7) / 2)


def test_nothing_to_score() -> None:
    assert summarise(np.full((2, 3, 1), NAN)) is None


def test_a_draw_with_nothing_to_score_is_left_out() -> None:
    scores = np.array([[[0.5], [0.7]], [[NAN], [NAN]]])
    assert summarise(scores) == summarise(scores[:1])


def test_agrees_with_the_bootstrap_where_there_are_many_patients() -> None:
    dice = np.random.default_rng(3).beta(8, 3, 200)
    found = summarise(dice[None, :, None])
    drawn = stats.bootstrap((dice,), np.mean, method="percentile", rng=4).confidence_interval
    assert found is not None
    assert (found.low, found.high) == pytest.approx((drawn.low, drawn.high), abs=0.002)


def crossed(random: np.random.Generator, size: tuple[int, int], sds: Sds) -> np.ndarray:
    """(draws, patients) around 0.6 with these standard deviations of draws, patients and noise."""
    draws, patients = size
    values = 0.6 + sds[2] * random.standard_normal(size)
    values += sds[0] * random.standard_normal((draws, 1))
    values += sds[1] * random.standard_normal((1, patients))
    return values


@pytest.mark.parametrize(
    ("size", "sds"),
    [
        ((1, 10), (0.0, 0.05, 0.02)),
        ((3, 10), (0.03, 0.05, 0.02)),
        ((5, 20), (0.0, 0.05, 0.02)),
        ((3, 20), (0.05, 0.0, 0.03)),
        ((3, 20), (0.0, 0.0, 0.05)),
    ],
)
def test_covers_the_truth_about_as_often_as_it_says(size: tuple[int, int], sds: Sds) -> None:
    random = np.random.default_rng(7)
    hits = 0
    for _ in range(1000):
        found = summarise(crossed(random, size, sds)[:, :, None])
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 0.6 <= found.high
    assert 0.91 <= hits / 1000 <= 0.995


def test_a_bootstrap_over_three_draws_would_not() -> None:
    """Why there is none: draws above patients, both drawn again with replacement."""
    random = np.random.default_rng(7)
    size, times = (3, 20), 300
    hits = 0
    for _ in range(times):
        values = crossed(random, size, (0.05, 0.0, 0.03))
        draws = random.integers(0, size[0], (400, size[0], 1))
        patients = random.integers(0, size[1], (400, 1, size[1]))
        low, high = np.quantile(values[draws, patients].mean(axis=(1, 2)), [0.025, 0.975])
        hits += low <= 0.6 <= high
    assert hits / times < 0.85


def test_seeds_are_averaged_and_undefined_only_where_all_are() -> None:
    runs = [np.array([[0.4, NAN], [0.2, NAN]]), np.array([[0.6, 0.5], [NAN, NAN]])]
    np.testing.assert_allclose(across_seeds(runs), [[0.5, 0.5], [0.2, NAN]])
