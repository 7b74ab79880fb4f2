"""What every reader returns, and the two conventions of world coordinates made one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.contract import Spacing

# A voxel index (z, y, x, 1) written as (x, y, z, 1), and back: the same matrix.
_REVERSED = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
# ITK's world points left and to the back, NIfTI's right and to the front. Its own inverse, too.
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class RawImage:
    """An array as it lies in its file, last file axis first: (D, H, W) for a volume.

    spacing  mm along the last three axes, None where the file does not say or is no volume
    affine   (z, y, x) voxel index -> world mm, 4x4, x to the right, y to the front (RAS), or None
    """

    array: np.ndarray
    spacing: Spacing | None = None
    affine: np.ndarray | None = None


def from_xyz(affine: np.ndarray) -> np.ndarray:
    """An affine of (x, y, z) indices, made one of (z, y, x) indices; its own inverse."""
    return np.asarray(affine, dtype=np.float64) @ _REVERSED


def from_lps(affine: np.ndarray) -> np.ndarray:
    """An affine into LPS world coordinates, made one into RAS; its own inverse."""
    return _LPS @ affine


def spacing_of(affine: np.ndarray) -> Spacing:
    """mm from voxel to voxel along each index of `affine`."""
    first, second, third = np.linalg.norm(affine[:3, :3], axis=0)
    return float(first), float(second), float(third)
