"""SAM's image encoder as a frozen one with a cache."""

from __future__ import annotations

from pathlib import Path

import torch
from segment_anything.modeling import Sam

from bench.models.checkpoints.card import SamCard
from bench.models.embeddings.frozen import FrozenEncoder, frozen_encoder
from bench.models.sam.encoder import encode
from bench.train.precision import Precision, resolve_precision


def frozen_sam(
    sam: Sam,
    card: SamCard,
    *,
    device: torch.device | str,
    cache: Path | str | None,
    precision: Precision = "auto",
) -> FrozenEncoder:
    """Embeddings (B, C, S / patch, S / patch) for a SAM that was built for S x S pixels."""
    name = resolve_precision(precision, device)
    return frozen_encoder(
        lambda images: encode(sam.image_encoder, images, precision=name),
        card,
        size=sam.image_encoder.img_size,
        precision=name,
        output="embedding",
        device=device,
        cache=cache,
    )
