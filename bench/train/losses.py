"""Segmentation losses that leave out what nobody labelled."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from bench.protocol import UNLABELLED


def cross_entropy_dice(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean of cross-entropy and soft Dice loss.

    logits (N, K + 1, H, W); labels (N, H, W) integers, UNLABELLED left out of both terms. Dice is
    taken over the whole batch, a class at a time, as the mean over all classes but the background:
    1 - 2 sum(p g) / (sum p + sum g). A class that the batch lacks costs 1 while it is predicted.
    A batch without any label costs the Dice term's 0 and moves nothing.
    """
    logits, labels = logits.float(), labels.long()  # sums over a batch overflow half precision
    known = labels != UNLABELLED
    target = torch.where(known, labels, 0)
    entropy = F.cross_entropy(logits, labels, ignore_index=UNLABELLED, reduction="sum")
    entropy = entropy / known.sum().clamp(min=1)
    share = logits.softmax(dim=1) * known[:, None]
    truth = F.one_hot(target, logits.shape[1]).movedim(-1, 1) * known[:, None]
    axes = (0, 2, 3)
    overlap = (share * truth).sum(axes)[1:]
    size = share.sum(axes)[1:] + truth.sum(axes)[1:]
    dice = 1 - (2 * overlap + 1e-5) / (size + 1e-5)
    return (entropy + dice.mean()) / 2
