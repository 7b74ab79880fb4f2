"""Logits of one object a class -> one label a voxel."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bench.data.slices import Canvas, highest

ABSENT = -1024.0
"""The logit of an object that is not there; SAM 2's own."""


def labels_of(logits: Tensor, canvas: Canvas, shape: tuple[int, ...]) -> np.ndarray:
    """(n, K, h, w) on the canvas, at any resolution -> (n, H, W) uint8 on the slices' own grid.

    The class of the highest logit, 0 where none is above 0. Objects are asked for one by one and
    may overlap, so 0 is the background's own logit. shape: ends in H, W.
    """
    native = canvas.scores_back(logits.float(), *shape[-2:])
    scores = torch.cat([torch.zeros_like(native[:, :1]), native], dim=1)
    return highest(scores).cpu().numpy()
