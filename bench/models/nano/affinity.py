"""A helper task for encoders: tell from two positions' features whether they show the same thing.

A mask teaches one object; a label map teaches every pair of positions at once, so an encoder learns
what an object is many times faster. The head is thrown away after training.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Affinity(nn.Module):
    """Learned cosine similarity of positions, scored against equality of their labels."""

    def __init__(self, width: int, codes: int = 32) -> None:
        super().__init__()
        self.project = nn.Linear(width, codes)
        self.scale = nn.Parameter(torch.tensor(5.0))
        self.offset = nn.Parameter(torch.tensor(-2.5))

    def forward(self, left: Tensor, right: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """Loss of features left (N, P, C), right (N, Q, C) with labels a (N, P), b (N, Q).

        Equal and unequal pairs weigh half each, however rare the equal ones are.
        """
        u = F.normalize(self.project(left).float(), dim=-1)
        v = F.normalize(self.project(right).float(), dim=-1)
        logits = self.scale * (u @ v.transpose(1, 2)) + self.offset
        same = a[:, :, None] == b[:, None, :]
        loss = F.binary_cross_entropy_with_logits(logits, same.float(), reduction="none")
        equal = (loss * same).sum() / same.sum().clamp(min=1)
        unequal = (loss * ~same).sum() / (~same).sum().clamp(min=1)
        return (equal + unequal) / 2


def labels_at(label: Tensor, grid: int) -> Tensor:
    """Label maps (N, H, H) at the centres of a grid x grid raster: (N, grid * grid)."""
    step = label.shape[-1] // grid
    return label[:, step // 2 :: step, step // 2 :: step].flatten(1)
