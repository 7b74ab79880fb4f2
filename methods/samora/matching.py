"""What the image and the patch expert share: a head that is thrown away, a distance, a size."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from bench.train.full_precision import in_float32

FEATURES = 256
"""Channels in which student and teacher are compared."""
HIDDEN = 2048
SMALL = 512
"""An encoder narrower than this is one of our own small networks; its teachers are small too."""


def head(width: int) -> nn.Module:
    """(..., width) -> (..., FEATURES)"""
    return nn.Sequential(
        nn.Linear(width, HIDDEN), nn.LayerNorm(HIDDEN), nn.GELU(), nn.Linear(HIDDEN, FEATURES)
    )


@in_float32
def distance(student: Tensor, teacher: Tensor) -> Tensor:
    """(..., d) twice -> mean squared difference of the unit vectors: (2 - 2 cos) / d."""
    return F.mse_loss(F.normalize(student, dim=-1), F.normalize(teacher, dim=-1))
