"""Retrieval: the mask of the slice that looks most alike."""

from __future__ import annotations

import numpy as np
import pytest

from bench.protocol import UNLABELLED
from methods.control_nearest.method import Nearest
from tests.methods.tiny import adapt, blind, dice, options, setting, volume


def nearest(classes: int = 2, **changes: int) -> Nearest:
    return Nearest(options("control_nearest", **changes), setting(classes))


def scan(seed: int, *, depth: int = 5, height: int = 64, width: int = 64) -> np.ndarray:
    """Coarse noise: no two slices look alike."""
    coarse = np.random.default_rng(seed).uniform(0, 1, (depth, 8, 8)).astype(np.float32)
    rows = np.arange(height) * 8 // height
    columns = np.arange(width) * 8 // width
    return coarse[:, rows][:, :, columns]


def labels(seed: int, shape: tuple[int, int, int]) -> np.ndarray:
    return np.random.default_rng(100 + seed).integers(0, 3, shape, dtype=np.uint8)


def test_an_identical_slice_gives_its_mask_exactly() -> None:
    """64 pixels on a canvas of 128: a whole factor, so the mask comes back as it was."""
    support = [volume(labels(s, (5, 64, 64)), image=scan(s)) for s in range(3)]
    method = nearest()
    reports = adapt(method, support, classes=2)
    assert [(r.steps, r.samples, r.epoch) for r in reports] == [(0, 15, True)]
    for given in support:
        assert given.label is not None
        assert np.array_equal(method.predict(blind(given)), given.label)


def test_slices_are_found_one_by_one() -> None:
    """A volume put together from slices of two others, in any order."""
    one, two = (volume(labels(s, (5, 64, 64)), image=scan(s)) for s in range(2))
    method = nearest()
    adapt(method, [one, two], classes=2)
    assert one.label is not None
    assert two.label is not None
    image = np.stack([two.image[3], one.image[0], two.image[1]])
    # the same window as its sources have, up to the brightest and darkest cells
    expected = np.stack([two.label[3], one.label[0], two.label[1]])
    assert np.array_equal(method.predict(blind(volume(expected, image=image))), expected)


def test_contrast_does_not_matter() -> None:
    support = volume(labels(0, (5, 64, 64)), image=scan(0))
    method = nearest()
    adapt(method, [support], classes=2)
    assert support.label is not None
    other = volume(support.label, image=support.image * 300 + 1000)
    assert np.array_equal(method.predict(blind(other)), support.label)


def test_the_pattern_counts_and_not_the_brightness() -> None:
    """A pale slice of the same pattern is nearer than one as bright with an eighth of it turned."""
    pattern = (np.random.default_rng(0).permutation(64) % 2).reshape(8, 8)
    turned = pattern.copy()
    turned[3] = 1 - turned[3]

    def large(cells: np.ndarray) -> np.ndarray:
        return np.kron(cells, np.ones((8, 8))).astype(np.float32)

    pale, bright = large(0.7 + 0.2 * pattern), large(turned)
    label = np.stack([np.full((64, 64), 1), np.full((64, 64), 2)])
    method = nearest()
    adapt(method, [volume(label, image=np.stack([pale, bright]))], classes=2)
    query = volume(np.zeros((1, 64, 64)), image=large(pattern)[None])
    assert (method.predict(blind(query)) == 1).all()


@pytest.mark.parametrize("shape", [(60, 81), (200, 150)])
def test_a_mask_is_stretched_to_the_volume(shape: tuple[int, int]) -> None:
    y, x = np.mgrid[: shape[0], : shape[1]]
    label = (((y / shape[0] - 0.5) ** 2 + (x / shape[1] - 0.5) ** 2) < 0.09).astype(np.uint8)[None]
    given = volume(label, image=scan(1, depth=1, height=shape[0], width=shape[1]))
    method = nearest(classes=1)
    adapt(method, [given])
    prediction = method.predict(blind(given))
    assert prediction.shape == (1, *shape)
    assert dice(prediction, label) > 0.97


def test_slices_without_a_label_are_not_offered() -> None:
    label = np.full((3, 64, 64), UNLABELLED, np.uint8)
    label[1] = 1
    given = volume(label, image=scan(0, depth=3), slices=[1])
    method = nearest(classes=1)
    adapt(method, [given])
    assert (method.predict(blind(given)) == 1).all()


def test_the_padding_is_background() -> None:
    """A mask that was remembered with its padding and is laid on a wider slice."""
    tall = volume(np.ones((1, 64, 32)), image=scan(0, depth=1, width=32))
    wide = volume(np.zeros((1, 64, 64)), image=scan(0, depth=1))
    method = nearest(classes=1)
    adapt(method, [tall])
    prediction = method.predict(blind(wide))
    assert (prediction[0, :, :32] == 1).all()
    assert (prediction[0, :, 33:] == 0).all()


def test_a_blank_volume_gets_some_mask() -> None:
    support = volume(labels(0, (2, 64, 64)), image=scan(0, depth=2))
    method = nearest()
    adapt(method, [support], classes=2)
    prediction = method.predict(blind(volume(np.zeros((1, 64, 64)))))
    assert support.label is not None
    assert any(np.array_equal(prediction[0], label) for label in support.label)


def test_the_state_is_all_there_is() -> None:
    support = volume(labels(0, (4, 64, 64)), image=scan(0, depth=4))
    method, other = nearest(), nearest()
    adapt(method, [support], classes=2)
    other.load_state_dict(dict(method.state_dict()))
    assert support.label is not None
    assert np.array_equal(other.predict(blind(support)), support.label)
