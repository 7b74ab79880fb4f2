"""The intensity window of a volume, against numpy on all of its voxels."""

from __future__ import annotations

import numpy as np
import pytest

from bench.contract import Volume
from bench.data.intensity import SAMPLE, normalised, window


def volume(image: np.ndarray) -> Volume:
    return Volume("c", "p", image, (1.0, 1.0, 1.0))


def test_percentiles_of_a_small_volume_are_exact() -> None:
    image = np.random.default_rng(0).normal(100, 20, (10, 30, 30)).astype(np.float32)
    assert window(volume(image)) == pytest.approx(tuple(np.percentile(image, (0.5, 99.5))))


def test_a_ramp_by_hand() -> None:
    """0 .. 1000: the window is 5 .. 995."""
    image = np.arange(1001, dtype=np.float32).reshape(1, 7, 143)
    assert window(volume(image)) == (5.0, 995.0)
    found = normalised(volume(image)).reshape(-1)
    assert found[[0, 5, 500, 995, 1000]].tolist() == pytest.approx([0, 0, 0.5, 1, 1])


def test_outliers_do_not_set_the_scale() -> None:
    image = np.random.default_rng(1).uniform(0, 1, (10, 50, 50)).astype(np.float32)
    image[0, 0, :5] = 1e6
    assert window(volume(image))[1] < 1.0
    assert normalised(volume(image)).max() == 1.0


@pytest.mark.parametrize("value", [0.0, -7.5, 3e4])
def test_a_volume_of_one_value_is_black(value: float) -> None:
    image = np.full((3, 8, 8), value, np.float32)
    low, high = window(volume(image))
    assert high > low
    assert (normalised(volume(image)) == 0).all()


@pytest.mark.parametrize("shape", [(12, 300, 256), (49, 256, 256), (16, 400, 400)])
def test_a_sample_of_a_large_volume_sees_every_column(shape: tuple[int, int, int]) -> None:
    """Bright columns in a dark volume: a step that divides the width would miss them, or see
    nothing else."""
    image = np.zeros(shape, np.float16)
    assert image.size > 3 * SAMPLE
    image[:, :, 7::16] = 100.0
    image[:, :, 0] = -50.0
    assert window(volume(image)) == tuple(np.percentile(image.astype(np.float32), (0.5, 99.5)))


def test_a_sample_is_near_the_whole() -> None:
    image = np.random.default_rng(2).gamma(2.0, 50.0, (16, 256, 256)).astype(np.float32)
    low, high = window(volume(image))
    exact = np.percentile(image, (0.5, 99.5))
    assert low == pytest.approx(exact[0], rel=0.05)
    assert high == pytest.approx(exact[1], rel=0.02)


def test_half_precision_and_foreign_strides() -> None:
    image = np.random.default_rng(3).uniform(-1000, 1000, (6, 20, 24)).astype(np.float16)
    turned = volume(image.transpose(2, 1, 0))
    found = normalised(turned)
    assert found.dtype == np.float32
    assert found.min() == 0.0
    assert found.max() == 1.0
    assert window(turned) == pytest.approx(window(volume(image)))


def test_the_scale_of_the_source_does_not_matter() -> None:
    image = np.random.default_rng(4).uniform(0, 1, (5, 20, 20)).astype(np.float32)
    other = normalised(volume(image * 400 - 100))
    assert np.allclose(normalised(volume(image)), other, atol=1e-5)


def test_the_image_is_left_alone() -> None:
    image = np.random.default_rng(5).uniform(0, 9, (2, 5, 5)).astype(np.float32)
    image.flags.writeable = False
    before = image.copy()
    normalised(volume(image))
    assert np.array_equal(image, before)
