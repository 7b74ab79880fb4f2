"""All scores of one predicted volume: `score_case`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy.typing as npt

from bench.protocol import NSD_TOLERANCE_MM, UNLABELLED
from bench.score.boundary import Boundary, boundary_scores, check_tolerance, measured_axes
from bench.score.empty import Empty, empty_kind, image_diagonal
from bench.score.labels import Classes, LabelMap, Name, check_spacing, class_labels, label_maps
from bench.score.overlap import Overlap, joint_histogram, overlaps

Box = tuple[slice, ...]


@dataclass(frozen=True)
class CaseScore:
    """One class of one volume. Counts in voxels, hd95 and assd in mm; None is undefined.

    `empty` says which rule decided the scores (bench.score.empty); None if both masks have voxels.
    """

    tp: int
    fp: int
    fn: int
    dice: float | None
    iou: float | None
    hd95: float | None
    assd: float | None
    nsd: float | None
    empty: Empty | None

    @property
    def overlap(self) -> Overlap:
        return Overlap(tp=self.tp, fp=self.fp, fn=self.fn)


def score_case(
    prediction: npt.ArrayLike,
    reference: npt.ArrayLike,
    spacing: Sequence[float],
    classes: Classes[Name],
    *,
    tolerance_mm: float = NSD_TOLERANCE_MM,
) -> dict[Name, CaseScore]:
    """Overlap and boundary scores of every class.

    prediction, reference: label maps of one shape, (D, H, W) or (H, W).
    spacing: mm, one for each axis, in the order of the axes.
    classes: names (label value = index + 1), name -> label value, or label values.
    Reference voxels of value 255 are not labelled: both maps are cleared there.
    """
    labels = class_labels(classes)
    predicted, referenced = label_maps(prediction, reference)
    axes = measured_axes(referenced.shape)
    step = check_spacing(spacing, referenced.shape)
    check_tolerance(tolerance_mm)
    diagonal = image_diagonal(referenced.shape, step)
    histogram = joint_histogram(predicted, referenced)
    counts = overlaps(histogram, labels)
    if histogram[UNLABELLED].any():
        labelled = referenced != UNLABELLED
        predicted, referenced = predicted * labelled, referenced * labelled
    flat = tuple(axis for axis in range(referenced.ndim) if axis not in axes)
    predicted, referenced = predicted.squeeze(flat), referenced.squeeze(flat)
    boxes = _boxes(predicted, referenced, max(labels.values()))
    scores = {}
    for name, value in labels.items():
        empty = empty_kind(counts[name])
        if empty is None:
            box = boxes[value]
            boundary: Boundary | None = boundary_scores(
                predicted[box] == value,
                referenced[box] == value,
                [step[axis] for axis in axes],
                tolerance_mm,
            )
        else:
            boundary = None if empty == "both" else Boundary(diagonal, diagonal, 0.0)
        scores[name] = _case_score(counts[name], boundary, empty)
    return scores


def _case_score(overlap: Overlap, boundary: Boundary | None, empty: Empty | None) -> CaseScore:
    return CaseScore(
        tp=overlap.tp,
        fp=overlap.fp,
        fn=overlap.fn,
        dice=overlap.dice,
        iou=overlap.iou,
        hd95=boundary.hd95 if boundary else None,
        assd=boundary.assd if boundary else None,
        nsd=boundary.nsd if boundary else None,
        empty=empty,
    )


def _boxes(prediction: LabelMap, reference: LabelMap, highest: int) -> dict[int, Box]:
    """The smallest box around both masks of each label value that both maps hold."""
    from scipy.ndimage import find_objects

    pairs = zip(find_objects(prediction, highest), find_objects(reference, highest), strict=True)
    return {
        value: tuple(
            slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(*pair, strict=True)
        )
        for value, pair in enumerate(pairs, start=1)
        if None not in pair
    }
