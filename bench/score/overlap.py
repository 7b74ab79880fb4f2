"""True positives, false positives and false negatives of every class, from one pass.

The joint histogram of (prediction, reference) holds all the counts there are. Label maps are
mostly long runs of one value, so eight voxels are looked at as one 64-bit word: a word of
background in both maps is counted and dropped, a word of one pair of labels counts eight times,
and only the words that an edge crosses are taken apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.errors import RequestError
from bench.protocol import UNLABELLED
from bench.score.labels import BACKGROUND, Classes, LabelMap, Name, class_labels, label_maps

WORD = 8
# Two chunks and their temporaries stay within a common second or third level cache.
CHUNK = 1 << 19
Histogram = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Overlap:
    """Voxels of one class: hit, drawn too much, and missed."""

    tp: int
    fp: int
    fn: int

    @property
    def predicted(self) -> int:
        return self.tp + self.fp

    @property
    def referenced(self) -> int:
        return self.tp + self.fn

    @property
    def dice(self) -> float | None:
        """2 TP / (2 TP + FP + FN); None where both masks are empty."""
        total = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / total if total else None

    @property
    def iou(self) -> float | None:
        """TP / (TP + FP + FN); None where both masks are empty."""
        union = self.tp + self.fp + self.fn
        return self.tp / union if union else None


def count_overlap(
    prediction: npt.ArrayLike, reference: npt.ArrayLike, classes: Classes[Name]
) -> dict[Name, Overlap]:
    """Integer counts of every class.

    prediction, reference: label maps of one shape, (D, H, W) or any other.
    classes: names (label value = index + 1), name -> label value, or label values.
    Reference voxels of value 255 are not labelled; they count for nothing.
    """
    labels = class_labels(classes)
    return overlaps(joint_histogram(*label_maps(prediction, reference)), labels)


def overlaps(histogram: Histogram, labels: dict[Name, int]) -> dict[Name, Overlap]:
    """Counts from a joint histogram, after a check that each voxel has a known label."""
    values: list[int] = list(labels.values())
    _check_known("prediction", histogram.sum(axis=0), values)
    _check_known("reference", histogram.sum(axis=1), [*values, UNLABELLED])
    labelled = histogram[:UNLABELLED]
    predicted, referenced = labelled.sum(axis=0), labelled.sum(axis=1)
    counts = {}
    for name, value in labels.items():
        tp = int(labelled[value, value])
        counts[name] = Overlap(tp=tp, fp=int(predicted[value]) - tp, fn=int(referenced[value]) - tp)
    return counts


def joint_histogram(prediction: LabelMap, reference: LabelMap) -> Histogram:
    """Voxels for each pair of label values: (256, 256), indexed [reference, prediction]."""
    if prediction.flags.f_contiguous and reference.flags.f_contiguous:
        prediction, reference = prediction.T, reference.T
    flat = (np.ascontiguousarray(prediction).ravel(), np.ascontiguousarray(reference).ravel())
    whole = flat[0].size // WORD * WORD
    counts = _count_pairs(flat[0][whole:], flat[1][whole:])
    for start in range(0, whole, CHUNK):
        stop = min(start + CHUNK, whole)
        _add_words(counts, flat[0][start:stop].view(np.uint64), flat[1][start:stop].view(np.uint64))
    return counts.reshape(256, 256)


def _add_words(
    counts: Histogram, prediction: npt.NDArray[np.uint64], reference: npt.NDArray[np.uint64]
) -> None:
    """Adds words of eight voxels each to `counts`."""
    foreground = (prediction | reference) != 0
    kept = np.count_nonzero(foreground)
    counts[0] += WORD * (foreground.size - kept)
    if not kept:
        return
    prediction, reference = prediction[foreground], reference[foreground]
    mixed = (_turn(prediction) ^ prediction) | (_turn(reference) ^ reference)
    edge = mixed != 0
    plain = ~edge
    # All eight bytes of a plain word are alike, so the byte that the cast keeps is any of them.
    counts += WORD * _count_pairs(
        prediction[plain].astype(np.uint8), reference[plain].astype(np.uint8)
    )
    counts += _count_pairs(prediction[edge].view(np.uint8), reference[edge].view(np.uint8))


def _turn(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Each word turned round by one byte; it equals itself if all its bytes are alike."""
    return (words >> np.uint64(8)) | (words << np.uint64(56))


def _count_pairs(prediction: LabelMap, reference: LabelMap) -> Histogram:
    pairs = reference.astype(np.uint16)
    pairs <<= np.uint16(8)
    pairs |= prediction
    return np.bincount(pairs, minlength=1 << 16)


def _check_known(which: str, voxels: Histogram, values: list[int]) -> None:
    strange = voxels.copy()
    strange[[BACKGROUND, *values]] = 0
    found = np.flatnonzero(strange)
    if not found.size:
        return
    shown = ", ".join(f"{value} ({strange[value]} voxels)" for value in found[:5])
    more = f" and {found.size - 5} more" if found.size > 5 else ""
    known = ", ".join(str(value) for value in [BACKGROUND, *sorted(values)])
    raise RequestError(
        f"{which} has label values outside of the classes: {shown}{more};"
        f" known: {known}. Map them to classes or to {BACKGROUND} first"
    )
