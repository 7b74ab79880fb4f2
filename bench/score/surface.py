"""The surface of a mask as small elements, each with a place and an area.

Elements sit on the corners of voxels. A corner's 2x2x2 voxels (2x2 in a picture) are inside or
outside; those eight bits are its neighbourhood code. Each code stands for one small polygonal
surface through the midpoints of the cube edges that join inside to outside. Its area in mm is
the element's weight. This is the definition of Nikolov et al. 2018 (arXiv:1809.04430).

Two choices of the definition, recovered here by construction and checked code by code in tests:
- where a cube face has inside and outside on opposite diagonals, the rarer of the two in the
  cube is kept apart;
- a polygon that is not flat is cut into triangles in the way that has the largest area at unit
  spacing; the same cut is used at every spacing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Point = tuple[float, ...]


def neighbourhood_codes(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Code of each voxel corner: mask (D, H, W) -> (D + 1, H + 1, W + 1).

    Outside of the array is outside of the object, so an object that touches the border of the
    image has a surface there.
    """
    codes = np.zeros([size + 2 for size in mask.shape], np.uint8)
    codes[(slice(1, -1),) * mask.ndim] = mask
    for axis in reversed(range(mask.ndim)):
        first = (slice(None),) * axis + (slice(None, -1),)
        second = (slice(None),) * axis + (slice(1, None),)
        bits = 1 << (mask.ndim - 1 - axis)
        codes = codes[first] << np.uint8(bits) | codes[second]
    return codes


def is_surface(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """True where a corner has both inside and outside voxels around it."""
    full = (1 << (1 << codes.ndim)) - 1
    # Code 0 wraps round to 255, so one comparison leaves out both the empty and the full code.
    return (codes - np.uint8(1)) < full - 1


def element_areas(spacing: Sequence[float]) -> Floats:
    """Area in mm^2 (length in mm for a picture) of each neighbourhood code."""
    step = np.asarray(spacing, dtype=np.float64)
    if step.size == 2:
        return np.asarray(np.linalg.norm(_segments() * step, axis=-1).sum(axis=-1))
    # A triangle's area vector has one component for each plane; scaling the axes scales the
    # component of a plane by the two spacings that span it.
    planes = step.prod() / step
    return np.asarray(np.linalg.norm(_triangles() * planes, axis=-1).sum(axis=-1))


@cache
def _segments() -> Floats:
    """Contour pieces of the 16 codes of a picture: (16, 2, 2), unit spacing."""
    square: list[Point] = [(0, 0), (0, 1), (1, 1), (1, 0)]
    table = np.zeros((16, 2, 2))
    for code in range(16):
        inside = _inside(code, 2)
        for index, (enter, leave) in enumerate(_cuts(square, inside)):
            table[code, index] = np.subtract(leave, enter)
    return table


@cache
def _triangles() -> Floats:
    """Area vectors of the triangles of the 256 codes: (256, 4, 3), unit spacing."""
    table = np.zeros((256, 4, 3))
    for code in range(1, 255):
        vectors = [v for polygon in _polygons(_inside(code, 3)) for v in _widest_cut(polygon)]
        table[code, : len(vectors)] = vectors
    return table


def _inside(code: int, dims: int) -> set[Point]:
    """The corners that belong to the rarer phase; the first corner is the highest bit."""
    corners = list(product((0.0, 1.0), repeat=dims))
    inside = {c for bit, c in enumerate(reversed(corners)) if code >> bit & 1}
    return inside if 2 * len(inside) <= len(corners) else set(corners) - inside


def _cuts(square: list[Point], inside: set[Point]) -> Iterator[tuple[Point, Point]]:
    """For each run of inside corners round a square: the edge midpoints where it starts, ends."""
    flags = [corner in inside for corner in square]
    middle = [
        tuple((a + b) / 2 for a, b in zip(square[i], square[(i + 1) % 4], strict=True))
        for i in range(4)
    ]
    for start in range(4):
        if flags[start] or not flags[(start + 1) % 4]:
            continue
        end = start + 1
        while flags[(end + 1) % 4]:
            end += 1
        yield middle[start], middle[end % 4]


def _faces() -> Iterator[list[Point]]:
    """The six faces of the unit cube, each seen from outside and in the same turning sense."""
    for axis, side in product(range(3), (0.0, 1.0)):
        turn: list[Point] = [(0, 0), (1, 0), (1, 1), (0, 1)]
        face = []
        for u, v in turn if side else reversed(turn):
            corner = [side] * 3
            corner[(axis + 1) % 3], corner[(axis + 2) % 3] = u, v
            face.append(tuple(corner))
        yield face


def _polygons(inside: set[Point]) -> Iterator[list[Point]]:
    """The closed outlines that the cuts of the six faces join up to."""
    following = {leave: enter for face in _faces() for enter, leave in _cuts(face, inside)}
    while following:
        outline = [next(iter(following))]
        while (point := following.pop(outline[-1])) != outline[0]:
            outline.append(point)
        yield outline


def _widest_cut(polygon: list[Point]) -> list[Floats]:
    """Area vectors of the triangles of the cut that has the largest area."""
    points = np.asarray(polygon)

    def vectors(cut: list[tuple[int, int, int]]) -> list[Floats]:
        return [np.cross(points[b] - points[a], points[c] - points[a]) / 2 for a, b, c in cut]

    cuts = [vectors(cut) for cut in _triangulations(0, len(polygon) - 1)]
    return max(cuts, key=lambda cut: round(sum(float(np.linalg.norm(v)) for v in cut), 9))


def _triangulations(first: int, last: int) -> Iterator[list[tuple[int, int, int]]]:
    """All ways to cut the polygon of the points `first` to `last` into triangles."""
    if last - first < 2:
        yield []
        return
    for apex in range(first + 1, last):
        for left, right in product(
            list(_triangulations(first, apex)), list(_triangulations(apex, last))
        ):
            yield [(first, apex, last), *left, *right]
