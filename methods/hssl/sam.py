"""The same on SAM: LoRA in its encoder is what is pre-trained, its decoder has one mask a class."""

from __future__ import annotations

from types import SimpleNamespace

from torch import Tensor, nn

from bench.contract import Setting
from bench.models.checkpoints import card_of
from bench.models.sam import build_sam
from bench.models.sam.decoder import PromptFreeDecoder
from bench.models.sam.entry import sam_entry
from bench.models.sam.lora_encoder import LoraEncoder


class SamLora(nn.Module):
    """Slices (B, 1, S, S) in [0, 1] -> scores (B, K + 1, S / 4, S / 4) or so."""

    def __init__(
        self, options: SimpleNamespace, setting: Setting, *, image_size: str | int
    ) -> None:
        super().__init__()
        card = card_of("sam", setting.backbone["sam"])
        entry = sam_entry(card, image_size=image_size)
        sam = build_sam(card, image_size=entry.size, device=setting.device, cache=setting.cache)
        self.size = entry.size
        self.deep_width: int = sam.image_encoder.neck[0].out_channels
        self.encoder = LoraEncoder(
            sam.image_encoder, entry, rank=options.rank, precision=options.precision
        )
        self.decoder = PromptFreeDecoder(sam, classes=len(setting.classes))

    def forward(self, images: Tensor) -> Tensor:
        return self.decoder(self.encoder(images))

    def deep(self, images: Tensor) -> Tensor:
        """The pooled embedding: (B, deep_width)."""
        return self.encoder(images).float().mean((2, 3))
