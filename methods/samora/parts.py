"""A network with experts in its encoder: as the student of stage 1, and fused in stage 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from bench.contract import Setting
from bench.errors import RequestError
from bench.models.checkpoints import card_of
from bench.models.experts import FusedEncoder, add_experts
from bench.models.sam.entry import SamEntry, sam_entry
from bench.options import given
from methods.samora.choice import Choice
from methods.samora.families import Family
from methods.samora.student import Student

RECOMPUTE = 512
"""Pixels a side from which on attentions are computed again in the backward pass."""
PRETRAINED_AT = 224
"""The largest side of stage 1's slices, as in the released code."""


@dataclass(frozen=True)
class Parts:
    """Builds both from the method's options."""

    family: Family
    setting: Setting
    choice: Choice
    image_size: str
    values: str
    rank: int
    precision: str

    def entry(self, *, size: int | None = None) -> SamEntry:
        card = card_of(self.family.name, self.setting.backbone[self.family.name])
        values = self.family.values if self.values == "auto" else self.values
        return sam_entry(card, image_size=size or self.image_size, values=values)

    def student(self, *, size: int | str) -> Student:
        """size: of stage 1's slices; "auto" is stage 2's, at most 224."""
        whole = self.entry()
        entry = self.entry(size=given(size, min(PRETRAINED_AT, whole.size)))
        _, encoder = self._build(entry)
        return Student(encoder, self.family, entry, self.choice.levels, precision=self.precision)

    def _build(self, entry: SamEntry) -> tuple[Any, nn.Module]:
        """The whole network, and its encoder with the experts in it."""
        whole = self.family.build(
            entry.card, image_size=entry.size, device=self.setting.device, cache=self.setting.cache
        )
        encoder = self.family.encoder(whole)
        add_experts(encoder, self.choice.levels, rank=self.rank, random=self.choice.random)
        return whole, encoder

    def fused(self, *, fusion: str, width: int, recompute: str) -> tuple[Any, FusedSlices]:
        """The whole network, for its decoder, and its encoder with the experts fused in it."""
        if fusion not in self.family.fusions:
            raise RequestError(
                f"method.fusion={fusion} is not defined on {self.family.name}: take one of "
                f"{', '.join(sorted(self.family.fusions))}"
            )
        entry = self.entry()
        whole, inside = self._build(entry)
        again = entry.size >= RECOMPUTE if recompute == "auto" else recompute == "true"
        encoder = FusedEncoder(
            inside,
            self.choice.levels,
            encode=self.family.encode,
            sites=self.family.sites(inside),
            mode=fusion,
            bottleneck=width,
            train_experts=self.choice.trained,
            recompute=again,
        )
        return whole, FusedSlices(encoder, entry, precision=self.precision)


class FusedSlices(nn.Module):
    """Slices (B, 1, S, S) in [0, 1] -> what the family's decoder takes."""

    def __init__(self, encoder: FusedEncoder, entry: SamEntry, *, precision: str) -> None:
        super().__init__()
        self.fused, self.entry, self.precision = encoder, entry, precision

    def forward(self, images: Tensor) -> Any:
        return self.fused(self.entry(images), precision=self.precision)
