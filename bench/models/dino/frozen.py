"""DINO's patch tokens as a frozen encoder with a cache."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.checkpoints.card import DinoCard
from bench.models.embeddings.frozen import FrozenEncoder, frozen_encoder
from bench.train.precision import Precision, autocast, resolve_precision


def frozen_dino(
    dino: nn.Module,
    card: DinoCard,
    *,
    size: int,
    device: torch.device | str,
    cache: Path | str | None,
    precision: Precision = "auto",
) -> FrozenEncoder:
    """Patch tokens after the last norm, (B, C, S / patch, S / patch)."""
    patch = int(dino.patch_embed.patch_size[0])  # type: ignore[union-attr, index]
    if size < patch or size % patch:
        raise RequestError(
            f"{card.family} {card.name}: an image size of {size} is no multiple of its patch, "
            f"{patch} pixels"
        )
    name = resolve_precision(precision, device)

    def patches(images: Tensor) -> Tensor:
        with autocast(name, device):
            tokens = dino.forward_features(images)  # type: ignore[operator]
        cells = tokens[:, dino.num_prefix_tokens :].float()
        side = size // patch
        return cells.transpose(1, 2).unflatten(2, (side, side))

    return frozen_encoder(
        patches,
        card,
        size=size,
        precision=name,
        output="patch tokens",
        device=device,
        cache=cache,
    )
