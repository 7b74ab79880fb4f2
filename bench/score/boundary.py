"""Distances between the surfaces of two masks: HD95, ASSD and NSD from one set of distances.

Definitions, after Nikolov et al. 2018 (arXiv:1809.04430); everything in mm, never in voxels:
- A surface is a set of elements with an area each (bench.score.surface). The distance of an
  element is the Euclidean distance to the nearest element of the other surface.
- HD95: for each of the two surfaces, the smallest distance within which 95 % of its area lies;
  then the larger of the two.
- ASSD: the mean distance over the elements of both surfaces, weighted by area.
- NSD: the share of the area of both surfaces that lies within the tolerance.
- Places are voxel corners, so distances come in steps of the grid. On a slanting surface the
  corner that sticks out is the nearest one: the mean falls short by about half a voxel.
- An axis of one voxel has no extent to measure along: a volume of one slice is scored as a
  picture, with contour lengths in place of areas.

MONAI's `get_edge_surface_distance(use_subvoxels=True)` has the same elements, areas and
distances, and its `compute_surface_dice(use_subvoxels=True)` the same NSD; the tests hold ours
against both. Its HD95 and average surface distance differ on purpose: they take whole edge
voxels, all of equal weight. Importing it costs seconds, which a short scorer process would pay
for each unit; scipy's search trees and distance transforms are all that is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.errors import RequestError
from bench.protocol import NSD_TOLERANCE_MM
from bench.score.labels import check_spacing
from bench.score.surface import element_areas, is_surface, neighbourhood_codes

# Distances are sums of products of floats: 3 steps of 0.1 mm come out above 0.3 mm.
ROUNDING = 1 + 1e-9

Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Boundary:
    """Boundary scores of two masks that both have voxels; hd95 and assd in mm."""

    hd95: float
    assd: float
    nsd: float


@dataclass(frozen=True)
class Surface:
    """Elements of one mask: where (bool, on the corner grid), their flat indices and areas."""

    where: Mask
    index: Indices
    areas: Floats


def boundary_scores(
    prediction: Mask,
    reference: Mask,
    spacing: Sequence[float],
    tolerance_mm: float = NSD_TOLERANCE_MM,
) -> Boundary:
    """HD95, ASSD and NSD of two non-empty masks of one shape, (D, H, W) or (H, W).

    A crop gives the same scores as the whole as long as it holds both masks. So an axis of one
    voxel counts as a slab here: whether it is all of the image or the crop of a thin object, only
    the caller knows (`measured_axes` of the image).
    """
    step = check_spacing(spacing, prediction.shape)
    check_tolerance(tolerance_mm)
    ours, theirs = _surface(prediction, step), _surface(reference, step)
    if not ours.index.size or not theirs.index.size:
        raise RequestError(
            "boundary scores need two masks with voxels; the empty rule has the rest"
        )
    forth = _distances(ours, theirs, step)
    back = _distances(theirs, ours, step)
    total = ours.areas.sum() + theirs.areas.sum()
    limit = tolerance_mm * ROUNDING
    near = ours.areas[forth <= limit].sum() + theirs.areas[back <= limit].sum()
    return Boundary(
        hd95=max(_percentile(forth, ours.areas, 0.95), _percentile(back, theirs.areas, 0.95)),
        assd=float((forth @ ours.areas + back @ theirs.areas) / total),
        nsd=float(near / total),
    )


def measured_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Axes of an image to measure along: those of one voxel go, but two always stay."""
    if len(shape) not in (2, 3):
        raise RequestError(f"boundary scores need a volume or a picture, not shape {shape}")
    order = sorted(range(len(shape)), key=lambda axis: shape[axis] == 1)
    return tuple(sorted(order[: max(2, sum(size > 1 for size in shape))]))


def check_tolerance(tolerance_mm: float) -> None:
    if not (isinstance(tolerance_mm, int | float) and 0 <= tolerance_mm < math.inf):
        raise RequestError(f"tolerance_mm is {tolerance_mm!r}: give a finite number, 0 or more")


def _surface(mask: Mask, step: tuple[float, ...]) -> Surface:
    codes = neighbourhood_codes(mask)
    where = is_surface(codes)
    index = np.flatnonzero(where)
    return Surface(where=where, index=index, areas=element_areas(step)[codes.ravel()[index]])


def _percentile(distances: Floats, areas: Floats, share: float) -> float:
    """The smallest distance within which `share` of the area lies."""
    order = np.argsort(distances)
    within = np.cumsum(areas[order])
    place = np.searchsorted(within, share * within[-1] / ROUNDING)
    return float(distances[order[place]])


def _distances(start: Surface, end: Surface, step: tuple[float, ...]) -> Floats:
    """Distance in mm of each element of `start` to the nearest of `end`: (elements,)."""
    distances = np.zeros(start.index.size)
    # Where both surfaces pass the same corner the distance is 0: in a good prediction, most.
    apart = np.flatnonzero(~end.where.ravel()[start.index])
    if not apart.size:
        return distances
    grid = end.where.shape
    points = np.stack(np.unravel_index(start.index[apart], grid), axis=1)
    # A query of the tree costs about 12 times, a point in it once, what a voxel of the distance
    # transform costs: few elements in a wide box go to the tree, noise goes to the transform.
    if 12 * apart.size + end.index.size < end.where.size:
        nearest = _nearest_by_tree(points, np.stack(np.unravel_index(end.index, grid), 1), step)
    else:
        nearest = _nearest_by_transform(points, end.where, step)
    # Whole steps times spacing: the same rounding whichever way the neighbour was found.
    distances[apart] = np.sqrt((((points - nearest) * np.asarray(step)) ** 2).sum(axis=1))
    return distances


def _nearest_by_tree(points: Indices, targets: Indices, step: tuple[float, ...]) -> Indices:
    """For each point (n, axes) the nearest target, by a search tree."""
    from scipy.spatial import KDTree

    scale = np.asarray(step)
    # Grid points are spread evenly: an unbalanced tree is built twice as fast and found faster.
    tree = KDTree(targets * scale, leafsize=32, balanced_tree=False, compact_nodes=False)
    return np.asarray(targets[tree.query(points * scale)[1]])


def _nearest_by_transform(points: Indices, where: Mask, step: tuple[float, ...]) -> Indices:
    """For each point (n, axes) the nearest True corner, by a distance transform of the grid."""
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(
        ~where, sampling=step, return_distances=False, return_indices=True
    )
    return np.asarray(nearest[(slice(None), *points.T)].T, dtype=np.intp)
