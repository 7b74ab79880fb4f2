"""Rule 8 of the protocol on curves drawn by hand."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.protocol import PLATEAU_STAY, PLATEAU_TOLERANCE
from bench.record.schema import Convergence, CurvePoint, Moment
from bench.unit.convergence import converge, running_median


def points(dice: Sequence[float | None]) -> list[CurvePoint]:
    """Probe i at 10 i steps, 2 i epochs, 40 i samples, 1.5 i seconds."""
    return [
        CurvePoint(
            epochs=2 * i,
            steps=10 * i,
            samples=40 * i,
            seconds=1.5 * i,
            loss=None,
            dice=value,
            classes={"a": value},
        )
        for i, value in enumerate(dice, start=1)
    ]


def at(probe: int) -> Moment:
    return Moment(epochs=2 * probe, steps=10 * probe, samples=40 * probe, seconds=1.5 * probe)


def converged(*dice: float) -> Convergence:
    return converge(points(dice))


def test_running_median_against_hand() -> None:
    assert running_median([5, 1, 4, 2, 9]) == [3, 4, 2, 4, 5.5]
    assert running_median([7]) == [7]
    assert running_median([]) == []


def test_first_probe_at_the_plateau_in_all_four_measures() -> None:
    found = converged(0.2, 0.5, 0.7, 0.8, 0.8, 0.8, 0.8, 0.8)
    # running median: .35 .5 .7 .8 .8 .8 .8 .8
    assert found.plateau == pytest.approx(0.8)
    assert found.converged == at(4)
    assert found.censored_at is None
    assert found.note is None


def test_within_one_percent_is_near_enough() -> None:
    # 1 % of .8 is .008: .793 is inside, .791 is not.
    assert converged(0.5, 0.793, 0.793, 0.8, 0.8, 0.8, 0.8).converged == at(2)
    assert converged(0.5, 0.791, 0.791, 0.8, 0.8, 0.8, 0.8).converged == at(4)


def test_near_is_meant_from_both_sides() -> None:
    """A curve that falls back to its plateau was not there while it was above it."""
    found = converged(0.5, 0.9, 0.9, 0.9, 0.8, 0.8, 0.8, 0.8, 0.8)
    # running median: .7 .9 .9 .9 .8 ...
    assert found.plateau == pytest.approx(0.8)
    assert found.converged == at(5)


def test_a_low_plateau_is_judged_by_its_own_percent() -> None:
    # 1 % of .2 is .002: .197 is a miss, though within a point.
    assert converged(0.1, 0.197, 0.197, 0.2, 0.2, 0.2, 0.2).converged == at(4)


def test_one_bad_probe_is_smoothed_over() -> None:
    found = converged(0.3, 0.8, 0.8, 0.4, 0.8, 0.8, 0.8, 0.8)
    # running median: .55 .8 .8 .8 .8 .8 .8 .8
    assert found.converged == at(2)


def test_leaving_the_plateau_by_more_than_a_point_starts_again() -> None:
    found = converged(0.3, 0.8, 0.8, 0.77, 0.77, 0.8, 0.8, 0.8, 0.8)
    # running median: .55 .8 .8 .77 .77 .8 .8 .8 .8
    assert found.converged == at(6)
    # .795 is within a point: the first arrival counts
    assert converged(0.3, 0.8, 0.8, 0.795, 0.795, 0.8, 0.8, 0.8, 0.8).converged == at(2)


def test_a_passing_visit_does_not_count() -> None:
    """Through .6 on the way up, .6 at the end: only the end stays."""
    found = converged(0.6, 0.6, 0.9, 0.9, 0.9, 0.6, 0.6, 0.6, 0.6)
    assert found.plateau == pytest.approx(0.6)
    assert found.converged == at(6)


def test_a_rising_curve_is_censored_at_its_last_probe() -> None:
    found = converged(*[0.1 * i for i in range(1, 9)])
    assert found.converged is None
    assert found.plateau is None
    assert found.censored_at == at(8)
    assert found.note == "still moving at the end"


def test_a_falling_curve_still_moves_too() -> None:
    found = converged(0.8, 0.8, 0.8, 0.78, 0.74, 0.70, 0.66)
    assert (found.converged, found.note) == (None, "still moving at the end")


def test_a_slow_but_steady_rise_is_no_plateau() -> None:
    """A point a probe: the last quarter spans less than two points, and moves all the same."""
    found = converged(0.5, 0.6, 0.69, 0.70, 0.71, 0.72, 0.73, 0.74)
    assert (found.converged, found.note) == (None, "still moving at the end")


def test_swinging_around_a_value_is_not_staying_at_it() -> None:
    dice = [0.2, 0.3, 0.4, 0.6, 0.72, 0.70, 0.75, 0.70]
    assert running_median(dice)[-3:] == pytest.approx([0.72, 0.70, 0.725])
    found = converge(points(dice))
    assert found.plateau == pytest.approx(0.72)  # reached at probe 6, left again by two points
    assert (found.converged, found.censored_at) == (None, at(8))
    assert found.note == "never stayed at its plateau"


def test_the_last_probe_alone_has_stayed_nowhere() -> None:
    dice = [0.1, 0.1, 0.1, 0.1, 0.2, 0.31, 0.295, 0.305]
    assert running_median(dice)[-3:] == pytest.approx([0.295, 0.305, 0.3])
    found = converge(points(dice))
    assert found.plateau == pytest.approx(0.3)  # 1 % of it is .003: the last alone is that near
    assert (found.converged, found.censored_at) == (None, at(8))
    assert found.note == "never stayed at its plateau"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_probes_have_no_plateau(count: int) -> None:
    found = converge(points([0.8] * count))
    assert (found.plateau, found.converged, found.censored_at) == (None, None, at(count))
    assert found.note == f"{count} probes are too few for a plateau"


def test_four_probes_are_enough() -> None:
    assert converged(0.8, 0.8, 0.8, 0.8).converged == at(1)


def test_the_plateau_is_the_median_of_the_last_quarter() -> None:
    # 20 probes: the last quarter are the last five of the running median.
    dice = [0.1 * i for i in range(1, 6)] + [0.6] * 10 + [0.700, 0.704, 0.702, 0.706, 0.703]
    # running median there: .700 .702 .704 .703 .7045 with its neighbours .6 before
    found = converge(points(dice))
    assert found.plateau == pytest.approx(0.703)
    assert found.converged == at(16)


def test_targets_are_first_crossings_of_the_probes_themselves() -> None:
    found = converged(0.1, 0.5, 0.45, 0.75, 0.69, 0.72, 0.72, 0.72)
    assert found.targets == {"0.5": at(2), "0.7": at(4), "0.8": None}


def test_targets_are_known_where_convergence_is_not() -> None:
    assert converged(0.85).targets == {"0.5": at(1), "0.7": at(1), "0.8": at(1)}


def test_no_probe_at_all() -> None:
    found = converge([])
    assert (found.plateau, found.converged, found.censored_at) == (None, None, None)
    assert found.note == "no probe: no training patient was left for it"
    assert found.targets == {"0.5": None, "0.7": None, "0.8": None}


def test_probes_without_a_score() -> None:
    found = converge(points([None, None, None, None]))
    assert (found.converged, found.note) == (None, "no class occurs in the probe patients")
    mixed = converge(points([None, 0.8, 0.8, 0.8, 0.8, 0.8]))
    assert mixed.converged == at(2)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.floats(0, 1), min_size=4, max_size=16))
def test_what_is_called_converged_is_what_the_rule_says(dice: list[float]) -> None:
    """The rule once more, word by word: first, within 1 %, and within a point from there on."""
    found = converge(points(dice))
    smooth = [median(dice[max(0, i - 1) : i + 2]) for i in range(len(dice))]
    assert (found.converged is None) == (found.censored_at is not None)
    if found.converged is None:
        assert found.censored_at == at(len(dice))
        if found.plateau is None:
            return
    assert found.plateau is not None
    arrived = [
        i + 1
        for i in range(len(dice) - 1)
        if abs(smooth[i] - found.plateau) <= PLATEAU_TOLERANCE * found.plateau
        and max(abs(later - found.plateau) for later in smooth[i:]) <= PLATEAU_STAY
    ]
    assert found.converged == (at(arrived[0]) if arrived else None)


def test_a_curve_that_never_left_zero_is_censored() -> None:
    found = converged(*[0.0] * 7)
    assert found.converged is None
    assert found.note == "never left zero"
