"""The atlas on grids that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bench.protocol import UNLABELLED
from methods.control_atlas.method import Atlas
from tests.methods.tiny import adapt, blind, options, setting, volume


def atlas(grid: list[int], *, threshold: float = 0.5, classes: int = 1) -> Atlas:
    given = options("control_atlas", grid=grid, threshold=threshold)
    return Atlas(given, setting(classes))


def test_the_mean_shape_by_hand() -> None:
    one = [[[1, 1, 0, 0], [2, 0, 0, 0]]]
    two = [[[1, 0, 0, 2], [2, 2, 0, 0]]]
    three = [[[1, 0, 0, 0], [2, 2, 0, 0]]]
    method = atlas([1, 2, 4], classes=2)
    reports = adapt(method, [volume(np.array(v)) for v in (one, two, three)], classes=2)
    assert [(r.steps, r.samples, r.epoch) for r in reports] == [(0, 3, True)]
    third = 1 / 3
    assert method.share[0].tolist() == [[[1, pytest.approx(third), 0, 0], [0, 0, 0, 0]]]
    assert method.share[1] == pytest.approx(
        np.array([[[0, 0, 0, third], [1, 2 * third, 0, 0]]]), abs=1e-6
    )
    seen = blind(volume(np.array(one)))
    assert method.predict(seen).tolist() == [[[1, 0, 0, 0], [2, 2, 0, 0]]]


def test_the_threshold_is_the_share_that_must_agree() -> None:
    labels = [np.array([[[1, 1, 1, 0]]]), np.array([[[1, 1, 0, 0]]]), np.array([[[1, 0, 0, 0]]])]
    support = [volume(label) for label in labels]
    for threshold, expected in (
        (1.0, [1, 0, 0, 0]),
        (0.6, [1, 1, 0, 0]),
        (0.3, [1, 1, 1, 0]),
    ):
        method = atlas([1, 1, 4], threshold=threshold)
        adapt(method, support)
        assert method.predict(blind(support[0]))[0, 0].tolist() == expected


def test_shapes_are_compared_at_relative_places() -> None:
    """The left half of a small volume and the left half of a large one are the same place."""
    small, large = np.zeros((2, 4, 4), np.uint8), np.zeros((6, 20, 12), np.uint8)
    small[:, :, :2] = large[:, :, :6] = 1
    method = atlas([2, 4, 4])
    adapt(method, [volume(small), volume(large)])
    assert set(method.share.flat) == {0, 1}
    other = np.zeros((5, 7, 10), np.uint8)
    other[:, :, :5] = 1
    assert np.array_equal(method.predict(blind(volume(other))), other)


def test_the_image_is_never_looked_at() -> None:
    label = np.zeros((3, 8, 8), np.uint8)
    label[1, 2:5, 2:5] = 1
    method = atlas([3, 8, 8])
    adapt(method, [volume(label)])
    noise = np.random.default_rng(0).normal(size=(3, 8, 8)).astype(np.float32)
    assert np.array_equal(method.predict(blind(volume(label, image=noise))), label)


def test_only_labelled_slices_vote() -> None:
    label = np.full((4, 2, 2), UNLABELLED, np.uint8)
    label[1], label[3] = 1, 0
    method = atlas([4, 2, 2])
    adapt(method, [volume(label, slices=[1, 3])])
    assert method.share[0, :, 0, 0].tolist() == [0, 1, 0, 0]
    full = volume(np.ones((4, 2, 2)))
    method = atlas([4, 2, 2])
    adapt(method, [volume(label, slices=[1, 3]), full])
    assert method.share[0, :, 0, 0].tolist() == [1, 1, 1, 0.5]


@pytest.mark.parametrize("labelled", range(12))
def test_no_labelled_slice_is_passed_over(labelled: int) -> None:
    """More slices than cells: a single labelled one still fills the cell that it lies in."""
    label = np.full((12, 2, 2), UNLABELLED, np.uint8)
    label[labelled] = 1
    method = atlas([4, 2, 2])
    adapt(method, [volume(label, slices=[labelled])])
    assert np.flatnonzero(method.share[0, :, 0, 0]).tolist() == [labelled // 3]


def test_fewer_slices_than_cells() -> None:
    label = np.full((3, 2, 2), UNLABELLED, np.uint8)
    label[1] = 1
    method = atlas([9, 2, 2])
    adapt(method, [volume(label, slices=[1])])
    assert np.flatnonzero(method.share[0, :, 0, 0]).tolist() == [3, 4, 5]


def test_unlabelled_voxels_of_a_labelled_slice_do_not_vote() -> None:
    partial, full = np.array([[[1, UNLABELLED]]]), np.array([[[0, 1]]])
    method = atlas([1, 1, 2])
    adapt(method, [volume(partial), volume(full)])
    assert method.share[0, 0, 0].tolist() == [0.5, 1.0]


def test_the_state_is_all_there_is() -> None:
    label = np.random.default_rng(0).integers(0, 3, (3, 6, 6), dtype=np.uint8)
    method, other = atlas([3, 6, 6], classes=2), atlas([3, 6, 6], classes=2)
    adapt(method, [volume(label)], classes=2)
    other.load_state_dict(method.state_dict())
    assert np.array_equal(other.predict(blind(volume(label))), label)
    assert other.predict(blind(volume(label))).dtype == np.uint8
