"""What a class scores where one of its masks is empty (protocol rule 6), and the papers' way.

Rule 6, by class and volume:
- both masks empty: no score; the volume is left out of the class's mean and counted;
- missed (only the reference has voxels): Dice, IoU and NSD are 0, HD95 is the diagonal;
- false positive (only the prediction has voxels): the same scores, and its volume is reported.

ASSD gets the diagonal too, for the reason HD95 does: a distance that is dropped where nothing
was found lets a method's mean improve as it finds less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from bench.errors import RequestError
from bench.score.labels import check_spacing
from bench.score.overlap import Overlap

Empty = Literal["both", "missed", "false_positive"]


def empty_kind(overlap: Overlap) -> Empty | None:
    """Which masks of a class are empty; None if neither is."""
    if overlap.referenced:
        return None if overlap.predicted else "missed"
    return "false_positive" if overlap.predicted else "both"


def image_diagonal(shape: Sequence[int], spacing: Sequence[float]) -> float:
    """Corner to corner of the imaged block in mm: no two surfaces in it are farther apart."""
    step = check_spacing(spacing, tuple(shape))
    return math.hypot(*(size * width for size, width in zip(shape, step, strict=True)))


def volume_mm3(voxels: int, spacing: Sequence[float]) -> float:
    """Volume of a number of voxels; of `fp` on an empty reference: the false-positive volume."""
    return voxels * math.prod(check_spacing(spacing, (1,) * len(spacing)))


def legacy_scores(overlap: Overlap, hausdorff: float | None) -> tuple[float, float]:
    """(Dice, Hausdorff) as the papers' published code counts a class of a volume.

    Both masks have voxels: (Dice, the distance). A prediction on an empty reference: (1, 0).
    Anything else: (0, 0), so that a missed organ costs no distance and one rightly left empty
    scores no Dice. `hausdorff` is used in the first case alone. The papers give it in voxels
    (a case scored with a spacing of 1 has that) and take medpy's HD95: the 95th percentile of
    whole edge voxels, both directions in one pool.
    """
    if overlap.predicted and overlap.referenced:
        if hausdorff is None:
            raise RequestError(
                f"{overlap} has voxels in both masks: the legacy rule needs their distance"
            )
        return overlap.dice or 0.0, hausdorff
    return (1.0, 0.0) if overlap.predicted else (0.0, 0.0)
