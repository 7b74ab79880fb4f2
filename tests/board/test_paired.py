"""Paired differences against hand-computed tables and scipy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bench.board.interval import summarise
from bench.board.paired import Comparison, Scores, aligned, compare, compare_pairs, scores_of
from bench.board.reading import read_units
from tests.board.factory import record, save

NAN = float("nan")


def scores(values: object) -> Scores:
    """(draws, patients, classes)"""
    from bench.board.interval import contributions

    array = np.array(values, float)
    means, parts = contributions(array)
    names = tuple(f"p{i}" for i in range(array.shape[1]))
    return Scores(names, means, parts, ~np.isnan(array).all(axis=(0, 2)))


def test_one_draw_is_the_paired_t_test() -> None:
    random = np.random.default_rng(0)
    first, second = random.uniform(0.4, 0.9, (2, 12))
    found = compare(scores(first[None, :, None]), scores(second[None, :, None]))
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert found is not None
    assert found.effect == pytest.approx((first - second).mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.p == pytest.approx(stats.wilcoxon(first, second).pvalue)
    assert found.p_draws == pytest.approx(stats.ttest_rel(first, second).pvalue)
    assert (found.draws, found.patients) == (1, 12)


def test_both_levels_by_hand() -> None:
    """Differences 0.1, 0.2 in the first draw, 0.3, 0.4 in the second, worked out on paper."""
    first = scores([[[0.6], [0.8]], [[0.8], [0.9]]])
    second = scores([[[0.5], [0.6]], [[0.5], [0.5]]])
    found = compare(first, second)
    assert found is not None
    assert found.effect == pytest.approx(0.25)
    # draws 0.15, 0.35: variance 0.02 / 2; patients 0.2, 0.3: variance 0.005 / 2
    assert found.error == pytest.approx(0.0125**0.5)
    assert found.freedom == pytest.approx(0.0125**2 / (0.01**2 + 0.0025**2))
    reach = stats.t.ppf(0.975, found.freedom) * found.error
    assert (found.low, found.high) == pytest.approx((0.25 - reach, 0.25 + reach))
    assert found.p == pytest.approx(0.5)  # two patients, both positive: 2 of 4 assignments


def test_pairing_takes_the_patients_own_level_away() -> None:
    level = np.linspace(0.1, 0.9, 8)
    first, second = scores((level + 0.02)[None, :, None]), scores(level[None, :, None])
    found = compare(first, second)
    assert found is not None
    assert found.low == pytest.approx(0.02)
    assert found.surely_not_zero
    alone = summarise((level + 0.02)[None, :, None])
    assert alone is not None
    assert alone.low is not None
    assert alone.low < level.mean()


def test_the_effect_is_the_difference_of_the_means_shown() -> None:
    """Also where the rows leave different classes and patients out."""
    first = [[[0.8, NAN], [0.5, 0.4], [NAN, NAN]], [[0.6, 0.1], [0.5, 0.2], [NAN, NAN]]]
    second = [[[0.7, 0.0], [0.1, 0.4], [NAN, NAN]], [[0.2, 0.1], [NAN, 0.0], [NAN, 0.0]]]
    found = compare(scores(first), scores(second))
    means = [summarise(np.array(values)) for values in (first, second)]
    assert found is not None
    assert means[0] is not None
    assert means[1] is not None
    assert found.effect == pytest.approx(means[0].mean - means[1].mean)
    assert found.patients == 3  # the third was scored by the second row


def test_pairs_together_are_the_pairs_alone() -> None:
    random = np.random.default_rng(1)
    arrays = random.uniform(0, 1, (4, 3, 6, 2))
    arrays[2, :, 5] = NAN
    arrays[3, 1] = NAN  # a draw in which nothing could be scored
    rows = [scores(array) for array in arrays]
    pairs = [(a, b) for a in range(4) for b in range(a + 1, 4)]
    found = compare_pairs(rows, pairs)
    for a, b in pairs:
        alone = compare(rows[a], rows[b])
        together = found[a, b]
        assert alone is not None
        assert together is not None
        assert vars(together) == pytest.approx(vars(alone))
    assert found[0, 3] is not None
    assert found[0, 3].draws == 2


def test_nothing_in_common_is_no_comparison() -> None:
    assert compare(scores([[[0.5]], [[NAN]]]), scores([[[NAN]], [[0.5]]])) is None


def test_one_patient_and_one_draw_have_no_interval() -> None:
    found = compare(scores([[[0.7]]]), scores([[[0.2]]]))
    assert found is not None
    assert (found.effect, found.low, found.p) == (pytest.approx(0.5), None, 1.0)
    assert found.detectable() is None
    assert not found.surely_not_zero


def test_detectable_is_what_a_power_table_says() -> None:
    """n = 27, sd = 1: such a t test finds 0.56 sd in 8 of 10 (Cohen's tables)."""
    size = spread(27).detectable()
    assert size == pytest.approx(0.56, abs=0.01)


@pytest.mark.parametrize(("patients", "alpha"), [(27, 0.05), (5, 0.05), (5, 0.001), (12, 1e-4)])
def test_detectable_is_found_in_eight_of_ten(patients: int, alpha: float) -> None:
    """Simulated. Few degrees of freedom and a far level are what a table has."""
    size = spread(patients).detectable(alpha)
    assert size is not None
    random = np.random.default_rng(5)
    drawn = random.standard_normal((6000, patients)) + size
    hits = stats.ttest_1samp(drawn, 0, axis=1).pvalue < alpha
    assert hits.mean() == pytest.approx(0.8, abs=0.02)


def spread(patients: int) -> Comparison:
    """Of a standard deviation of 1 over so many patients, in one draw."""
    return Comparison(
        effect=0.0,
        low=-1.0,
        high=1.0,
        p=1.0,
        side=0,
        error=1 / patients**0.5,
        freedom=patients - 1.0,
        by_draw=None,
        by_patient=1 / patients,
        draws=1,
        patients=patients,
    )


def test_ranks_may_be_for_the_other_row() -> None:
    """Nine rescued patients carry the mean; the other 51 are all worse by a point."""
    values = np.array([*[0.5] * 9, *[-0.01] * 51])
    found = compare(scores([[[0.5 + v] for v in values]]), scores([[[0.5]] * 60]))
    assert found is not None
    assert found.effect > 0
    assert found.surely_not_zero
    assert found.p < 0.05
    assert (found.side, found.one_sided) == (-1, False)


def test_identical_rows_differ_by_nothing() -> None:
    row = scores(np.full((2, 3, 1), 0.5))
    found = compare(row, row)
    assert found is not None
    assert (found.effect, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)
    assert found.detectable() is None


def test_seeds_are_averaged_before_they_are_paired(tmp_path: Path) -> None:
    save(
        tmp_path,
        record([[0.2], [0.4]], seed=0),
        record([[0.4], [0.6]], seed=1),
        record([[0.1], [0.1]], draw="1"),
    )
    found = scores_of(read_units(tmp_path), ["0", "1"], ("p000", "p001"), "dice")
    np.testing.assert_allclose(found.means, [0.4, 0.1])
    np.testing.assert_allclose(found.means[0] + 2 * found.parts[0], [0.3, 0.5])


def test_aligned_rows_have_their_own_patients() -> None:
    wide = aligned(("b", "d"), np.array([[1.0], [2.0]]), ("a", "b", "c", "d"))
    np.testing.assert_array_equal(wide, [[NAN], [1.0], [NAN], [2.0]])
