"""An image and its segmentation in two files: one case, if the two lie on one grid."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np

from bench.contract import RawCase
from bench.data.readers.dispatch import read_image, suffix_of
from bench.data.readers.image import RawImage
from bench.errors import DataError

_SLACK = 0.5
"""Voxels by which two headers may differ: rounding moves them a little, a flip or shift much."""


def read_pair(image: Path, label: Path, case: str, *, same_origin: bool = True) -> RawCase:
    """Both files; the geometry is the image's.

    same_origin  False for sets whose label headers are known to keep another origin
    """
    if not label.exists():
        raise DataError(case, f"there is no segmentation: {label} is missing")
    first, second = read_image(image, case=case), read_image(label, case=case)
    if first.array.shape[-3:] == second.array.shape[-3:]:
        _check_grids(first, second, label, case, same_origin=same_origin)
    return RawCase(first.array, second.array, first.spacing, first.affine)


def files_of(*paths: Path) -> tuple[Path, ...]:
    """Those that exist, each with the voxel file that a .mhd keeps beside it."""
    found: list[Path] = []
    for path in paths:
        parts = [path]
        if suffix_of(path) == ".mhd":
            parts += [path.with_suffix(suffix) for suffix in (".raw", ".zraw")]
        found += [part for part in parts if part.is_file()]
    return tuple(found)


def grid_shift(first: RawImage, second: RawImage, *, same_origin: bool = True) -> float | None:
    """mm between the places that two headers give to one corner of arrays of one shape; None where
    they agree within rounding, or one of them does not say.

    same_origin  False: whatever origins they say
    """
    if first.affine is None or second.affine is None:
        return None
    here, there = first.affine.copy(), second.affine.copy()
    if not same_origin:
        here[:3, 3] = there[:3, 3] = 0
    last = np.array(first.array.shape[-3:]) - 1
    corners = np.array([(*(last * corner), 1) for corner in product((0, 1), repeat=3)]).T
    steps = np.linalg.norm(here[:3, :3], axis=0)
    moved = np.linalg.norm(((there - here) @ corners)[:3], axis=0).max()
    return None if moved <= _SLACK * steps.max() else float(moved)


def _check_grids(
    first: RawImage, second: RawImage, label: Path, case: str, *, same_origin: bool
) -> None:
    """Where each corner of the image lies in the label's voxels: at the same index, or nearly."""
    moved = grid_shift(first, second, same_origin=same_origin)
    if moved is not None:
        raise DataError(
            case,
            f"image and segmentation are not on one grid: the header of {label} places a corner "
            f"{moved:.3g} mm away from the image's; write both with the same header",
        )
