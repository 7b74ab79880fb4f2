"""The losses of promptable segmentation, one value a mask."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

FOCAL_WEIGHT, DICE_WEIGHT = 20.0, 1.0  # the ratio of the Segment Anything paper


def focal(logits: Tensor, target: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Focal loss (...), mean over the last two axes of logits and target (..., H, W).

    target may lie between 0 and 1: a pixel of a coarse grid is covered in part.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    miss = (logits.sigmoid() - target).abs() ** gamma
    weight = alpha * target + (1 - alpha) * (1 - target)
    return (weight * miss * entropy).mean(dim=(-2, -1))


def dice(logits: Tensor, target: Tensor) -> Tensor:
    """Soft Dice loss (...) over the last two axes; 1 is added so that empty masks have a slope."""
    share = logits.sigmoid()
    overlap = (share * target).sum(dim=(-2, -1))
    size = share.sum(dim=(-2, -1)) + target.sum(dim=(-2, -1))
    return 1 - (2 * overlap + 1) / (size + 1)


def mask_loss(logits: Tensor, target: Tensor) -> Tensor:
    """20 focal + 1 Dice, (...) for logits and target (..., H, W)."""
    return FOCAL_WEIGHT * focal(logits, target) + DICE_WEIGHT * dice(logits, target)


@torch.no_grad()
def iou(logits: Tensor, target: Tensor) -> Tensor:
    """Intersection over union (...) of logits > 0 and target >= 0.5; 1 where both are empty."""
    guess, truth = logits > 0, target >= 0.5
    union = (guess | truth).sum(dim=(-2, -1))
    both = (guess & truth).sum(dim=(-2, -1))
    return torch.where(union > 0, both / union.clamp(min=1), 1.0)
