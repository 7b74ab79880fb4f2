"""Losses of single masks, as promptable networks give them. UNLABELLED pixels are left out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.protocol import UNLABELLED

FOCAL_WEIGHT = 20.0
"""Focal to Dice in the Segment Anything paper."""


def bce_dice(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy + Dice, 1:1, the mean over all masks.

    logits, targets (..., H, W), one mask each; targets between 0 and 1, or UNLABELLED. A mask
    without any labelled pixel is left out; if there is no other, the loss is 0.
    """
    logits, truth, known = _split(logits, targets)
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return _over_masks(_mean(entropy, known) + _dice(logits, truth, known), known)


def focal_dice(
    logits: Tensor,
    targets: Tensor,
    *,
    focal_weight: float = FOCAL_WEIGHT,
    alpha: float = 0.25,
    gamma: float = 2.0,
) -> Tensor:
    """focal_weight x focal loss + Dice; the arguments otherwise as for `bce_dice`."""
    losses = mask_focal_dice(logits, targets, focal_weight=focal_weight, alpha=alpha, gamma=gamma)
    return _over_masks(losses, (targets != UNLABELLED).float())


def mask_focal_dice(
    logits: Tensor,
    targets: Tensor,
    *,
    focal_weight: float = FOCAL_WEIGHT,
    alpha: float = 0.25,
    gamma: float = 2.0,
) -> Tensor:
    """`focal_dice` of each mask alone: (..., H, W) -> (...). For a network that gives several
    guesses, of which the best is taught."""
    logits, truth, known = _split(logits, targets)
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    miss = (logits.sigmoid() - truth).abs() ** gamma
    weight = alpha * truth + (1 - alpha) * (1 - truth)
    return focal_weight * _mean(weight * miss * entropy, known) + _dice(logits, truth, known)


def mask_targets(labels: Tensor, classes: Sequence[int], size: tuple[int, int]) -> Tensor:
    """labels (N, H, W) -> (N, len(classes), *size) float32: the part of each cell's labelled pixels
    that is of the class; UNLABELLED where a cell has none."""
    known = (labels != UNLABELLED).float()[:, None]
    found = torch.stack([(labels == value).float() for value in classes], dim=1)
    known, found = (F.interpolate(part, size=size, mode="area") for part in (known, found))
    return torch.where(known > 0, found / known.clamp(min=1e-6), float(UNLABELLED))


def _split(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """logits, truth and whether it is known, all float32."""
    known = targets != UNLABELLED
    return logits.float(), torch.where(known, targets.float(), 0.0), known.float()


def _mean(values: Tensor, known: Tensor) -> Tensor:
    """(..., H, W) -> (...), over the labelled pixels."""
    return (values * known).sum((-2, -1)) / known.sum((-2, -1)).clamp(min=1)


def _dice(logits: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """(..., H, W) -> (...). 1 is added above and below, so that an empty mask has a slope."""
    share = logits.sigmoid() * known
    overlap = (share * truth).sum((-2, -1))
    return 1 - (2 * overlap + 1) / (share.sum((-2, -1)) + truth.sum((-2, -1)) + 1)


def _over_masks(losses: Tensor, known: Tensor) -> Tensor:
    """The mean of the masks that have a labelled pixel."""
    counted = known.sum((-2, -1)) > 0
    return (losses * counted).sum() / counted.sum().clamp(min=1)
