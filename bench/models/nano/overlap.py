"""How well a mask was found, one value a mask."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def iou(logits: Tensor, target: Tensor) -> Tensor:
    """Intersection over union (...) of logits > 0 and target >= 0.5; 1 where both are empty."""
    guess, truth = logits > 0, target >= 0.5
    union = (guess | truth).sum(dim=(-2, -1))
    both = (guess & truth).sum(dim=(-2, -1))
    return torch.where(union > 0, both / union.clamp(min=1), 1.0)
