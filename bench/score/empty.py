"""What a class scores where one of its masks is empty (protocol rule 6).

Rule 6, by class and volume:
- both masks empty: no score; the volume is left out of the class's mean and counted;
- missed (only the reference has voxels): Dice, IoU and NSD are 0, HD95 is the diagonal;
- false positive (only the prediction has voxels): the same scores; the board reports its volume.

ASSD gets the diagonal too, for the reason HD95 does: a distance that is dropped where nothing
was found lets a method's mean improve as it finds less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

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
