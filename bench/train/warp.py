"""Images and labels looked up at other places, together."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def warped(images: Tensor, labels: Tensor, grid: Tensor, *, outside: int) -> tuple[Tensor, Tensor]:
    """images (N, 1, s, s) bilinear and labels (N, s, s) uint8 nearest, at grid (N, s, s, 2) of
    (x, y) in -1 .. 1, corner to corner. What comes in from outside is 0 in the image and `outside`
    in the label."""
    moved = F.grid_sample(images, grid, mode="bilinear", align_corners=False)
    # Nearest label of label + 1, so that "outside" (0) can be told from background (1).
    raised = labels[:, None].float() + 1
    found = F.grid_sample(raised, grid, mode="nearest", align_corners=False)[:, 0].round()
    return moved, torch.where(found == 0, outside, found - 1).to(torch.uint8)
