"""Grey values as the network of a card was trained on them."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.models.checkpoints.card import CheckpointCard


def normalise(images: Tensor, card: CheckpointCard) -> Tensor:
    """images (..., 3, H, W), values in [0, 1] -> the same shape, normalised in their own dtype."""
    rule = card.normalisation
    mean = torch.tensor(rule.mean, device=images.device, dtype=torch.float64)
    std = torch.tensor(rule.std, device=images.device, dtype=torch.float64)
    factor = (rule.scale / std).to(images.dtype)[:, None, None]
    shift = (mean / std).to(images.dtype)[:, None, None]
    return images * factor - shift
