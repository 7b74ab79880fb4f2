"""Grey values as the network of a card was trained on them."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from bench.models.checkpoints.card import CheckpointCard, Normalisation


def normalise(images: Tensor, card: CheckpointCard) -> Tensor:
    """images (..., 3, H, W), values in [0, 1] -> the same shape, normalised in their own dtype."""
    factor, shift = _map(card.normalisation, images.dtype, images.device)
    return images * factor - shift


@lru_cache(maxsize=64)
def _map(rule: Normalisation, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """(3, 1, 1) twice, made once for a device and not in every forward pass."""
    with torch.inference_mode(False):  # whoever asks first may be predicting; a training comes too
        mean, std = (torch.tensor(x, dtype=torch.float64) for x in (rule.mean, rule.std))
        parts = (rule.scale / std, mean / std)
        factor, shift = (x.to(dtype).to(device)[:, None, None] for x in parts)
    return factor, shift
