"""Segmentation losses that leave out what nobody labelled."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from bench.protocol import UNLABELLED

SMOOTH = 1e-5


def cross_entropy_dice(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean of cross-entropy and soft Dice loss.

    logits (N, K + 1, H, W); labels (N, H, W) integers, UNLABELLED left out of both terms. Dice is
    taken over the whole batch, a class at a time, as the mean over all classes but the background:
    1 - 2 sum(p g) / (sum p + sum g). A class that the batch lacks costs 1 while it is predicted.
    A batch without any label costs the Dice term's 0 and moves nothing.
    """
    entropy, share, truth = _parts(logits, labels)
    axes = (0, 2, 3)
    overlap = (share * truth).sum(axes)[1:]
    size = share.sum(axes)[1:] + truth.sum(axes)[1:]
    dice = 1 - (2 * overlap + SMOOTH) / (size + SMOOTH)
    return (entropy + dice.mean()) / 2


def cross_entropy_squared_dice(
    logits: torch.Tensor, labels: torch.Tensor, *, dice_weight: float = 0.8
) -> torch.Tensor:
    """(1 - dice_weight) cross-entropy + dice_weight Dice, as prompt-free tuning of SAM uses them
    (arXiv 2304.13785: 0.8; arXiv 2403.18271: 0.9).

    Shapes and UNLABELLED as above. Dice is taken over the whole batch, a class at a time, with
    squares below: 1 - 2 sum(p g) / (sum p^2 + sum g^2); the mean is over all classes, background
    included.
    """
    entropy, share, truth = _parts(logits, labels)
    axes = (0, 2, 3)
    overlap = (share * truth).sum(axes)
    size = (share**2).sum(axes) + truth.sum(axes)  # a truth of 0 and 1 is its own square
    dice = 1 - (2 * overlap + SMOOTH) / (size + SMOOTH)
    return (1 - dice_weight) * entropy + dice_weight * dice.mean()


def _parts(
    logits: torch.Tensor, labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mean cross-entropy of the labelled pixels; shares and truth (N, K + 1, H, W), both 0 at the
    others."""
    logits, labels = logits.float(), labels.long()  # sums over a batch overflow half precision
    known = labels != UNLABELLED
    target = torch.where(known, labels, 0)
    if torch.are_deterministic_algorithms_enabled():  # CUDA sums it in any order itself
        entropy = F.cross_entropy(logits, labels, ignore_index=UNLABELLED, reduction="none").sum()
    else:
        entropy = F.cross_entropy(logits, labels, ignore_index=UNLABELLED, reduction="sum")
    entropy = entropy / known.sum().clamp(min=1)
    share = logits.softmax(dim=1) * known[:, None]
    classes = torch.arange(logits.shape[1], device=logits.device)[:, None, None]
    truth = (target[:, None] == classes) & known[:, None]
    return entropy, share, truth
