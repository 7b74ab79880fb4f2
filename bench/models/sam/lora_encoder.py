"""SAM's image encoder with one LoRA adapter in it: from slices to embeddings."""

from __future__ import annotations

from segment_anything.modeling import ImageEncoderViT
from torch import Tensor, nn

from bench.models.lora import add_lora
from bench.models.sam.encoder import encode
from bench.models.sam.entry import SamEntry
from bench.train.precision import Precision


class LoraEncoder(nn.Module):
    """Slices (B, 1, S, S) in [0, 1] -> embeddings (B, C, h, w). Only the adapter is trainable."""

    def __init__(
        self,
        encoder: ImageEncoderViT,
        entry: SamEntry,
        *,
        rank: int = 4,
        precision: Precision = "auto",
    ) -> None:
        """Takes the encoder over and adds the adapter to it."""
        super().__init__()
        add_lora(encoder, rank=rank)
        self.encoder, self.entry, self.precision = encoder, entry, precision

    def forward(self, images: Tensor) -> Tensor:
        return encode(self.encoder, self.entry(images), precision=self.precision)
