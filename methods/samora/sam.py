"""SAM with experts in its encoder: as the student of stage 1, and fused in stage 2."""

from __future__ import annotations

from dataclasses import dataclass

from segment_anything.modeling import Sam
from torch import Tensor, nn

from bench.contract import Setting
from bench.models.checkpoints import card_of
from bench.models.sam import build_sam
from bench.models.sam.entry import SamEntry, sam_entry
from bench.models.sam.experts import FusedEncoder, add_experts
from methods.samora.choice import Choice
from methods.samora.student import SamStudent

RECOMPUTE = 512
"""Pixels a side from which on attentions are computed again in the backward pass."""
PRETRAINED_AT = 224
"""The largest side of stage 1's slices, as in the released code."""


@dataclass(frozen=True)
class SamParts:
    """Builds both from the method's options. Another backbone would have the same two verbs."""

    setting: Setting
    choice: Choice
    image_size: str
    values: str
    rank: int
    precision: str

    def entry(self, *, size: str | None = None) -> SamEntry:
        card = card_of("sam", self.setting.backbone["sam"])
        return sam_entry(card, image_size=size or self.image_size, values=self.values)

    def student(self, *, size: str) -> SamStudent:
        """size: of stage 1's slices; "auto" is stage 2's, at most 224, and for the small networks
        that come with the package half of it: what a CPU can train in a minute."""
        entry = self.entry()
        if size == "auto":
            size = str(entry.size // 2 if entry.card.shipped else min(PRETRAINED_AT, entry.size))
        entry = self.entry(size=size)
        return SamStudent(
            self._sam(entry).image_encoder, entry, self.choice.levels, precision=self.precision
        )

    def _sam(self, entry: SamEntry) -> Sam:
        sam = build_sam(
            entry.card, image_size=entry.size, device=self.setting.device, cache=self.setting.cache
        )
        add_experts(
            sam.image_encoder, self.choice.levels, rank=self.rank, random=self.choice.random
        )
        return sam

    def fused(self, *, fusion: str, width: int, recompute: str) -> tuple[Sam, FusedSlices]:
        """The whole SAM, for its decoder, and its encoder with the experts fused in it."""
        entry = self.entry()
        sam = self._sam(entry)
        again = entry.size >= RECOMPUTE if recompute == "auto" else recompute == "true"
        encoder = FusedEncoder(
            sam.image_encoder,
            self.choice.levels,
            mode=fusion,
            bottleneck=width,
            train_experts=self.choice.trained,
            recompute=again,
        )
        return sam, FusedSlices(encoder, entry, precision=self.precision)


class FusedSlices(nn.Module):
    """Slices (B, 1, S, S) in [0, 1] -> embeddings (B, C, h, w)."""

    def __init__(self, encoder: FusedEncoder, entry: SamEntry, *, precision: str) -> None:
        super().__init__()
        self.fused, self.entry, self.precision = encoder, entry, precision

    def forward(self, images: Tensor) -> Tensor:
        return self.fused(self.entry(images), precision=self.precision)
