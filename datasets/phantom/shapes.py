"""Soft solids and smooth random fields, from + - * / and sqrt alone (see stream.py for why)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .stream import Stream

Point = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Grid:
    """Where each voxel lies, in mm from the middle of the volume: three (D, H, W) arrays."""

    z: np.ndarray
    y: np.ndarray
    x: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.z.shape

    @classmethod
    def of(cls, shape: tuple[int, int, int], spacing: Point) -> Grid:
        axes = [
            (np.arange(n, dtype=np.float64) - (n - 1) / 2) * step
            for n, step in zip(shape, spacing, strict=True)
        ]
        return cls(*np.meshgrid(*axes, indexing="ij"))

    def bent(self, stream: Stream, *, knots: tuple[int, int, int], by: float) -> Grid:
        """The same voxels pushed about smoothly, up to `by` mm: no two patients alike."""
        return Grid(
            *(axis + by * smooth(stream, self.shape, knots) for axis in (self.z, self.y, self.x))
        )


def smooth(stream: Stream, shape: tuple[int, ...], knots: tuple[int, int, int]) -> np.ndarray:
    """A cubic B-spline through random knots: about -1 to 1, without steps or creases."""
    field = stream.uniforms(*(k + 3 for k in knots), low=-1.7, high=1.7)
    for axis, (size, count) in enumerate(zip(shape, knots, strict=True)):
        at = np.arange(size, dtype=np.float64) * (count / size)
        first = at.astype(np.int64)
        t = at - first
        s = 1 - t
        weights = (
            s * s * s / 6,
            (3 * t * t * t - 6 * t * t + 4) / 6,
            (3 * s * s * s - 6 * s * s + 4) / 6,
            t * t * t / 6,
        )
        column = [1] * len(shape)
        column[axis] = size
        # One addition after the other: a matrix product may add in any order.
        total = np.zeros(())
        for k, weight in enumerate(weights):
            total = total + weight.reshape(column) * np.take(field, first + k, axis=axis)
        field = total
    return field


def ellipsoid(grid: Grid, centre: Point, radii: Point, *, turn: float = 0.0) -> np.ndarray:
    """Roughly the distance to its surface in mm, negative inside; `turn` = in-plane slope."""
    z, y, x = grid.z - centre[0], grid.y - centre[1], grid.x - centre[2]
    if turn:
        norm = np.sqrt(1 + turn * turn)
        y, x = (y - turn * x) / norm, (x + turn * y) / norm
    for axis, radius in zip((z, y, x), radii, strict=True):
        axis /= radius
        axis *= axis
    z += y
    z += x
    return (np.sqrt(z, out=z) - 1) * min(radii)


def inside(distance: np.ndarray, *, edge: float) -> np.ndarray:
    """Share of the voxel that is inside, 0 to 1, over an edge of `edge` mm."""
    return np.clip(0.5 - distance / edge, 0.0, 1.0)


def paint(image: np.ndarray, cover: np.ndarray, value: np.ndarray | float) -> np.ndarray:
    return image + cover * (value - image)


def blur(image: np.ndarray, share: float) -> np.ndarray:
    """In-plane point spread: `share` of each voxel goes to its row and column neighbours."""
    for axis in (1, 2):
        pad = [(0, 0)] * 3
        pad[axis] = (1, 1)
        wide = np.pad(image, pad, mode="edge")
        size = image.shape[axis]
        before = np.take(wide, np.arange(size), axis=axis)
        after = np.take(wide, np.arange(size) + 2, axis=axis)
        image = (1 - share) * image + (share / 2) * (before + after)
    return image
