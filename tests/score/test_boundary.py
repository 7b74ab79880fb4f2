"""Distances with known answers: voxels by hand, boxes exactly, balls within a voxel."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.errors import RequestError
from bench.score import boundary as module
from bench.score import score_case
from bench.score.boundary import boundary_scores, measured_axes


def voxel(shape: tuple[int, ...], place: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[place] = True
    return mask


@pytest.mark.parametrize(
    ("place", "near", "far"),
    [((2, 2, 5), 4.0, 6.0), ((4, 2, 2), 5.0, 10.0), ((2, 3, 2), 0.0, 1.0)],
    ids=["3 steps of 2 mm", "2 steps of 5 mm", "1 step of 1 mm"],
)
def test_two_voxels_along_an_axis(place: tuple[int, ...], near: float, far: float) -> None:
    """Four corners of a voxel look across the gap, four from its far side; all weigh the same."""
    first, second = voxel((6, 6, 8), (2, 2, 2)), voxel((6, 6, 8), place)
    spacing = (5.0, 1.0, 2.0)
    scores = boundary_scores(first, second, spacing, tolerance_mm=near)
    assert scores.hd95 == far
    assert scores.assd == pytest.approx((near + far) / 2)
    assert scores.nsd == pytest.approx(0.5)
    assert boundary_scores(first, second, spacing, tolerance_mm=far).nsd == 1.0
    if near:
        assert boundary_scores(first, second, spacing, tolerance_mm=near - 0.01).nsd == 0.0


def test_two_voxels_across_all_axes() -> None:
    """Each corner's nearest is one of the eight ways to take or leave the last step by axis."""
    first, second = voxel((6, 6, 8), (1, 1, 1)), voxel((6, 6, 8), (2, 3, 4))
    ways = [
        math.sqrt((3.0 * z) ** 2 + (1.5 * y) ** 2 + (0.5 * x) ** 2)
        for z in (0, 1)
        for y in (1, 2)
        for x in (2, 3)
    ]
    scores = boundary_scores(first, second, (3.0, 1.5, 0.5), tolerance_mm=2.0)
    assert scores.hd95 == pytest.approx(max(ways))
    assert scores.assd == pytest.approx(sum(ways) / 8)
    assert scores.nsd == pytest.approx(sum(way <= 2.0 for way in ways) / 8)
    assert 0 < scores.nsd < 1


def test_tolerance_is_kept_in_spite_of_rounding() -> None:
    """Three steps of 0.1 mm are 0.30000000000000004 in floats and still within 0.3 mm."""
    first, second = voxel((8, 3), (1, 1)), voxel((8, 3), (4, 1))
    assert 3 * 0.1 > 0.3
    assert boundary_scores(first, second, (0.1, 9.0), tolerance_mm=0.3).nsd == 1.0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_longer_box_is_off_by_its_extra_length(axis: int) -> None:
    """The far face holds more than 5 % of the area, so HD95 is its distance."""
    spacing = (2.0, 0.7, 1.3)
    reference = np.zeros((24, 24, 24), bool)
    reference[5:15, 5:15, 5:15] = True
    prediction = reference | np.roll(reference, 2, axis=axis)
    scores = boundary_scores(prediction, reference, spacing)
    assert scores.hd95 == pytest.approx(2 * spacing[axis])
    assert 0 < scores.assd < scores.hd95


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 1.0, 1.0), (0.8, 0.8, 3.0)])
def test_concentric_balls_are_a_radius_difference_apart(ball, spacing) -> None:
    shape = tuple(int(52 / s) for s in spacing)
    centre = tuple(n / 2 for n in shape)
    small, big = (ball(shape, centre, r, spacing).astype(bool) for r in (14.0, 20.0))
    scores = boundary_scores(small, big, spacing, tolerance_mm=2.0)
    assert scores.hd95 == pytest.approx(6.0, abs=0.5 * max(spacing))
    # Steps of the grid stick out of a slanting surface, and the nearest step is what counts:
    # the mean falls short by about half a voxel.
    assert 6.0 - 0.6 * max(spacing) < scores.assd < 6.0
    assert scores.nsd == 0.0
    assert boundary_scores(small, big, spacing, tolerance_mm=9.0).nsd == 1.0


@pytest.mark.parametrize("face", range(6))
def test_border_counts_as_surface(face: int) -> None:
    """An object cut off by the border scores as if the image went on with background."""
    axis, end = face % 3, face // 3
    reference = np.zeros((9, 10, 11), bool)
    reference[2:7, 2:7, 2:7] = True
    touching = reference.copy()
    touching[tuple(slice(None) if a == axis else slice(2, 7) for a in range(3))] = True
    shown = tuple(slice(2 - 2 * end, None) if a == axis else slice(None) for a in range(3))
    pair = touching[shown], reference[shown]
    spacing = (2.0, 1.0, 0.5)
    assert boundary_scores(*pair, spacing) == boundary_scores(
        np.pad(pair[0], 3), np.pad(pair[1], 3), spacing
    )
    assert boundary_scores(*pair, spacing).hd95 > 0


def test_full_volume_against_half_of_it() -> None:
    full = np.ones((6, 6, 10), bool)
    half = full.copy()
    half[..., 7:] = False
    assert boundary_scores(full, half, (1.0, 1.0, 0.5)).hd95 == 1.5


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_single_slice_is_scored_as_a_picture(lumps, axis: int) -> None:
    pair = [lumps(seed, (30, 26), 1) for seed in (1, 2)]
    spacing = [0.7, 1.9]
    picture = score_case(*pair, spacing, ["a"])["a"]
    deep = [*spacing[:axis], 8.0, *spacing[axis:]]
    slices = [np.expand_dims(labels, axis) for labels in pair]
    assert score_case(*slices, deep, ["a"])["a"] == picture
    # Two copies of the slice are a slab, whose two faces agree wherever the masks overlap.
    slab = [np.repeat(labels, 2, axis) for labels in slices]
    nsd = score_case(*slab, deep, ["a"])["a"].nsd
    assert nsd is not None
    assert picture.nsd is not None
    assert nsd > picture.nsd


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_thin_object_in_a_thick_image_keeps_its_faces(lumps, axis: int) -> None:
    """Only an image of one slice is a picture; an object of one slice has two faces."""
    spacing = [0.7, 1.9]
    spacing.insert(axis, 4.0)
    thin = [np.expand_dims(lumps(seed, (30, 26), 1), axis) for seed in (1, 2)]
    wide = [np.repeat(labels * 0, 4, axis) for labels in thin]
    for labels, inside in zip(wide, thin, strict=True):
        labels[tuple([slice(None)] * axis + [slice(1, 2)])] = inside
    score = score_case(*wide, spacing, ["a"])["a"]
    whole = boundary_scores(*(labels == 1 for labels in wide), spacing)
    assert (score.hd95, score.assd, score.nsd) == (whole.hd95, whole.assd, whole.nsd)


def test_single_row_and_single_voxel() -> None:
    row, part = np.ones((1, 1, 9), bool), np.zeros((1, 1, 9), bool)
    part[..., :6] = True
    assert score_case(row, part, (9.0, 4.0, 0.5), ["a"])["a"].hd95 == 1.5
    dot = np.ones((1, 1, 1), bool)
    score = score_case(dot, dot, (1, 1, 1), ["a"])["a"]
    assert (score.hd95, score.assd, score.nsd) == (0.0, 0.0, 1.0)


def test_measured_axes() -> None:
    assert measured_axes((4, 5, 6)) == (0, 1, 2)
    assert measured_axes((1, 5, 6)) == (1, 2)
    assert measured_axes((5, 1, 6)) == (0, 2)
    assert measured_axes((1, 1, 6)) == (0, 2)
    assert measured_axes((1, 1)) == (0, 1)


def test_a_far_speck_moves_assd_and_not_hd95(ball) -> None:
    """A large volume: 30 million voxels, one wrong one in the far corner."""
    reference = ball((120, 500, 500), (60, 250, 250), 50.0, (2.5, 0.8, 0.8)).astype(bool)
    prediction = reference.copy()
    prediction[-1, -1, -1] = True
    scores = boundary_scores(prediction, reference, (2.5, 0.8, 0.8))
    assert scores.hd95 == 0.0
    assert 0 < scores.assd < 0.1
    assert 0.999 < scores.nsd < 1.0


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 0.7, 1.1)])
def test_tree_and_transform_find_the_same_distances(lumps, monkeypatch, spacing) -> None:
    first, second = (lumps(seed) == 1 for seed in (3, 4))
    used = []

    def forced(name: str):
        find = getattr(module, name)

        def call(points, targets, step):
            used.append(name)
            if name == "_nearest_by_tree" and targets.dtype == bool:
                targets = np.argwhere(targets)
            if name == "_nearest_by_transform" and targets.dtype != bool:
                where = np.zeros([n + 1 for n in first.shape], bool)
                where[tuple(targets.T)] = True
                targets = where
            return find(points, targets, step)

        with monkeypatch.context() as patch:
            patch.setattr(module, "_nearest_by_tree", call)
            patch.setattr(module, "_nearest_by_transform", call)
            return boundary_scores(first, second, spacing)

    tree, transform = forced("_nearest_by_tree"), forced("_nearest_by_transform")
    assert set(used) == {"_nearest_by_tree", "_nearest_by_transform"}
    assert tree.hd95 == pytest.approx(transform.hd95, rel=1e-12)
    assert tree.assd == pytest.approx(transform.assd, rel=1e-12)
    assert tree.nsd == pytest.approx(transform.nsd, rel=1e-12)


def test_each_way_is_taken_where_it_is_cheaper(lumps, monkeypatch) -> None:
    taken = []
    for name in ("_nearest_by_tree", "_nearest_by_transform"):
        find = getattr(module, name)

        def spy(*args, name=name, find=find):
            taken.append(name)
            return find(*args)

        monkeypatch.setattr(module, name, spy)
    rng = np.random.default_rng(0)
    noise = [rng.random((20, 20, 20)) < 0.1 for _ in range(2)]
    boundary_scores(*noise, (1, 1, 1))
    assert taken == ["_nearest_by_transform"] * 2
    taken.clear()
    boundary_scores(voxel((40, 40, 40), (1, 1, 1)), voxel((40, 40, 40), (30, 30, 30)), (1, 1, 1))
    assert taken == ["_nearest_by_tree"] * 2


def test_an_empty_mask_has_no_surface() -> None:
    full = np.ones((3, 3, 3), bool)
    with pytest.raises(RequestError, match="boundary scores need two masks with voxels"):
        boundary_scores(full, ~full, (1, 1, 1))
    with pytest.raises(RequestError, match="boundary scores need two masks with voxels"):
        boundary_scores(~full, full, (1, 1, 1))
