"""Shapes with known answers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

LabelMap = npt.NDArray[np.uint8]
Ball = Callable[..., LabelMap]


@pytest.fixture(scope="session")
def ball() -> Ball:
    """ball(shape, centre, radius, spacing): uint8 ball; centre in voxels, radius in mm."""

    def make(
        shape: tuple[int, ...],
        centre: tuple[float, ...],
        radius: float,
        spacing: tuple[float, ...] = (1.0, 1.0, 1.0),
    ) -> LabelMap:
        axes = np.ogrid[tuple(slice(size) for size in shape)]
        squares = [((a - c) * s) ** 2 for a, c, s in zip(axes, centre, spacing, strict=True)]
        return (sum(squares) <= radius**2).astype(np.uint8)

    return make


@pytest.fixture(scope="session")
def lumps() -> Callable[..., LabelMap]:
    """lumps(seed, shape, labels): label map of smooth random lumps, some at the border."""

    def make(seed: int, shape: tuple[int, ...] = (14, 30, 26), labels: int = 3) -> LabelMap:
        rng = np.random.default_rng(seed)
        fields = [ndimage.gaussian_filter(rng.normal(size=shape), 2.0) for _ in range(labels + 1)]
        return np.argmax(fields, axis=0).astype(np.uint8)

    return make
