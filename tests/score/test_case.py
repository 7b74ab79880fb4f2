"""`score_case` as a whole: classes, masking of unlabelled voxels, properties of the scores."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bench.score import CaseScore, count_overlap, image_diagonal, score_case
from bench.score.boundary import boundary_scores

SPACING = (2.5, 0.8, 1.1)
NAMES = ["a", "b", "c"]


def random_pair(seed: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A reference with absent classes at times, and a prediction that mostly agrees."""
    rng = np.random.default_rng(seed)
    known = np.array([0, *rng.choice([1, 2, 3], rng.integers(1, 4), replace=False)], np.uint8)
    reference = np.repeat(rng.choice(known, shape), 2, axis=-1)
    noise = rng.integers(0, 4, reference.shape, dtype=np.uint8)
    return np.where(rng.random(reference.shape) < 0.3, noise, reference), reference


pairs = st.builds(
    random_pair,
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4)),
)


def close(first: CaseScore, second: CaseScore) -> bool:
    pairs = zip(dataclasses.astuple(first), dataclasses.astuple(second), strict=True)
    return all(
        a == (pytest.approx(b, rel=1e-9, abs=1e-12) if isinstance(b, float) else b)
        for a, b in pairs
    )


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_swapping_the_maps_swaps_the_errors(pair: tuple[np.ndarray, np.ndarray]) -> None:
    other = {"missed": "false_positive", "false_positive": "missed"}
    there = score_case(*pair, SPACING, NAMES)
    back = score_case(*pair[::-1], SPACING, NAMES)
    for name in NAMES:
        score = there[name]
        swapped = dataclasses.replace(
            score, fp=score.fn, fn=score.fp, empty=other.get(score.empty or "", score.empty)
        )
        assert close(back[name], swapped)


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_scores_stay_within_their_bounds(pair: tuple[np.ndarray, np.ndarray]) -> None:
    diagonal = image_diagonal(pair[0].shape, SPACING)
    for score in score_case(*pair, SPACING, NAMES).values():
        numbers = (score.dice, score.iou, score.hd95, score.assd, score.nsd)
        if score.empty == "both":
            assert numbers == (None,) * 5
            continue
        dice, iou, hd95, assd, nsd = (float(n) for n in numbers if n is not None)
        assert 0 <= iou <= dice <= 1
        assert dice == pytest.approx(2 * iou / (1 + iou))
        assert 0 <= nsd <= 1
        assert 0 <= hd95 <= diagonal
        assert 0 <= assd <= diagonal


@settings(max_examples=40, deadline=None)
@given(pairs, st.permutations([1, 2, 3]), st.permutations([0, 1, 2]))
def test_neither_label_order_nor_axis_order_matters(
    pair: tuple[np.ndarray, np.ndarray], values: list[int], axes: list[int]
) -> None:
    # A strip of one voxel across is a picture of which two axes: that does depend on the order.
    assume(sum(size > 1 for size in pair[0].shape) > 1)
    expected = score_case(*pair, SPACING, NAMES)
    renamed = np.array([0, *values], np.uint8)
    turned = [renamed[labels].transpose(axes) for labels in pair]
    found = score_case(*turned, [SPACING[a] for a in axes], dict(zip(NAMES, values, strict=True)))
    assert list(found) == NAMES
    assert all(close(found[name], expected[name]) for name in NAMES)


@settings(max_examples=30, deadline=None)
@given(pairs, st.floats(0.1, 10))
def test_millimetres_scale_with_the_spacing(
    pair: tuple[np.ndarray, np.ndarray], factor: float
) -> None:
    small = score_case(*pair, SPACING, NAMES, tolerance_mm=1.3)
    wide = [factor * s for s in SPACING]
    for name, score in score_case(*pair, wide, NAMES, tolerance_mm=1.3 * factor).items():
        assert score.hd95 == (small[name].hd95 and pytest.approx(factor * small[name].hd95))
        assert score.assd == (small[name].assd and pytest.approx(factor * small[name].assd))
        assert score.nsd == (small[name].nsd and pytest.approx(small[name].nsd))


@settings(max_examples=30, deadline=None)
@given(pairs)
def test_a_map_agrees_with_itself_and_a_wider_tolerance_never_hurts(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    for score in score_case(pair[1], pair[1], SPACING, NAMES).values():
        perfect = (1.0, 1.0, 0.0, 0.0, 1.0)
        found = (score.dice, score.iou, score.hd95, score.assd, score.nsd)
        assert found == ((None,) * 5 if score.empty else perfect)
    shares = [
        [s.nsd for s in score_case(*pair, SPACING, NAMES, tolerance_mm=t).values() if s.nsd]
        for t in (0.0, 1.0, 3.0, 9.0)
    ]
    for narrow, wide in itertools.pairwise(shares):
        assert sum(narrow) <= sum(wide) + 1e-12


def test_keys_follow_the_classes(lumps: Callable[..., np.ndarray]) -> None:
    prediction, reference = lumps(5), lumps(6)
    by_name = score_case(prediction, reference, SPACING, NAMES)
    by_value = score_case(prediction, reference, SPACING, [1, 2, 3])
    by_map = score_case(prediction, reference, SPACING, {"c": 3, "a": 1, "b": 2})
    assert list(by_name) == NAMES
    assert list(by_value) == [1, 2, 3]
    assert list(by_map) == ["c", "a", "b"]
    assert by_name == by_map
    assert list(by_value.values()) == list(by_name.values())
    counts = count_overlap(prediction, reference, NAMES)
    assert {name: score.overlap for name, score in by_name.items()} == counts


def test_each_class_is_scored_as_if_alone(lumps: Callable[..., np.ndarray]) -> None:
    """The crop to the class's own box changes nothing."""
    prediction, reference = lumps(5), lumps(6)
    for value, score in score_case(prediction, reference, SPACING, [1, 2, 3]).items():
        alone = boundary_scores(prediction == value, reference == value, SPACING)
        assert (score.hd95, score.assd, score.nsd) == (alone.hd95, alone.assd, alone.nsd)


def test_unlabelled_voxels_are_cleared_in_both_maps(lumps: Callable[..., np.ndarray]) -> None:
    prediction, reference = lumps(5), lumps(6)
    holes = np.random.default_rng(0).random(reference.shape) < 0.2
    holes[:, :, 20:] = True
    cleared = [np.where(holes, 0, labels) for labels in (prediction, reference)]
    masked = np.where(holes, 255, reference).astype(np.uint8)
    before = prediction.copy(), masked.copy()
    assert score_case(prediction, masked, SPACING, NAMES) == score_case(*cleared, SPACING, NAMES)
    np.testing.assert_array_equal(prediction, before[0])
    np.testing.assert_array_equal(masked, before[1])


def test_scores_are_plain_numbers(lumps: Callable[..., np.ndarray]) -> None:
    """They go into a JSON record as they are."""
    for score in score_case(lumps(5), lumps(6), SPACING, NAMES).values():
        kinds = [type(value) for value in dataclasses.astuple(score)]
        assert kinds == [int, int, int, float, float, float, float, float, type(None)]


def test_inputs_may_be_read_only_fortran_and_float(lumps: Callable[..., np.ndarray]) -> None:
    prediction, reference = lumps(5), lumps(6)
    expected = score_case(prediction, reference, SPACING, NAMES)
    turned = np.asfortranarray(prediction.astype(np.float32))
    turned.flags.writeable = False
    assert score_case(turned, reference.astype(np.int64), SPACING, NAMES) == expected
