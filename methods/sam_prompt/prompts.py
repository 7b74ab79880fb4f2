"""Points and boxes made from a mask, on the slice's own grid: x is a column, y a row."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

MARGIN = 0.25
"""How far around its box an object's surroundings reach, as a part of the box's sides."""

Point = tuple[int, int]
Box = tuple[float, float, float, float]


def inner_point(mask: np.ndarray, spacing: tuple[float, float]) -> Point:
    """(x, y) of the pixel of a mask (H, W) that is furthest from its outside, in mm; of equals,
    the first row's first. What lies beyond the image is outside."""
    depth = distance_transform_edt(np.pad(mask, 1), sampling=spacing)[1:-1, 1:-1]
    y, x = np.unravel_index(np.argmax(depth), mask.shape)
    return int(x), int(y)


def outer_point(mask: np.ndarray, spacing: tuple[float, float]) -> Point | None:
    """(x, y) of the pixel near an object that is furthest from it: within its box and a quarter of
    the box's sides around it. None where the object fills all of that."""
    x0, y0, x1, y1 = (int(edge) for edge in tight_box(mask))
    wide, high = (max(1, round(MARGIN * side)) for side in (x1 - x0 + 1, y1 - y0 + 1))
    top, left = max(0, y0 - high), max(0, x0 - wide)
    around = mask[top : y1 + high + 1, left : x1 + wide + 1]
    if around.all():
        return None
    y, x = np.unravel_index(
        np.argmax(distance_transform_edt(~around, sampling=spacing)), around.shape
    )
    return int(x) + left, int(y) + top


def tight_box(mask: np.ndarray) -> Box:
    """(x0, y0, x1, y1): the outermost columns and rows of a mask, themselves in it."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return float(columns[0]), float(rows[0]), float(columns[-1]), float(rows[-1])


def loose_box(box: Box, most: float, shape: tuple[int, int], random: np.random.Generator) -> Box:
    """Each side further out by up to `most` pixels, within the image (H, W)."""
    out = random.uniform(0, most, size=4)
    height, width = shape
    return (
        max(0.0, box[0] - out[0]),
        max(0.0, box[1] - out[1]),
        min(width - 1.0, box[2] + out[2]),
        min(height - 1.0, box[3] + out[3]),
    )
