"""The encoder as the student of stage 1: frozen but for one expert at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.models.experts import expert_state
from bench.models.hooks import Hooks
from bench.models.lora import use_lora
from bench.models.sam.entry import SamEntry
from methods.samora.families import Family


class Student(nn.Module):
    """What stage 1 needs of an encoder.

    size         side of the slices, in pixels         patch  side of a token, in pixels
    token_width  channels of the last block's tokens   width  channels of the embedding
    """

    def __init__(
        self,
        encoder: nn.Module,
        family: Family,
        entry: SamEntry,
        levels: Sequence[str],
        *,
        precision: str,
    ) -> None:
        """levels: the experts that were added to the encoder."""
        super().__init__()
        self.encoder, self.family, self.entry = encoder, family, entry
        self.levels, self.precision = tuple(levels), precision
        self.size, self.patch = entry.size, family.patch(encoder)
        self.token_width = family.sites(encoder)[-1].width
        self.width = family.width(encoder)

    def learn(self, level: str) -> list[nn.Parameter]:
        """This expert alone acts, and its parameters are to be trained: these."""
        use_lora(self.encoder, [level])
        return [p for p in self.encoder.parameters() if p.requires_grad]

    def embeddings(self, images: Tensor) -> Tensor:
        """(B, 1, S, S) in [0, 1] -> (B, C, S / patch, S / patch)"""
        return self.family.embedding(self._encode(images, None))

    def tokens(self, images: Tensor) -> Tensor:
        """(B, 1, S, S) -> those of the last block, one a patch: (B, (S / patch)^2, W). Where the
        last block has fewer, as in SAM 2, they are interpolated."""
        last = torch.empty(0)

        def keep(_: int, x: Tensor) -> Tensor:
            nonlocal last
            last = x
            return x

        self._encode(images, Hooks(after=keep))
        side = images.shape[-1] // self.patch
        cells = last.permute(0, 3, 1, 2).float()
        if cells.shape[-1] != side:
            cells = F.interpolate(cells, size=(side, side), mode="bilinear")
        return cells.flatten(2).transpose(1, 2)

    def _encode(self, images: Tensor, hooks: Hooks | None) -> Tensor:
        found: Tensor = self.family.encode(
            self.encoder, self.entry(images), precision=self.precision, hooks=hooks
        )
        return found

    def state(self) -> dict[str, Tensor]:
        """All experts, with their factors."""
        return expert_state(self.encoder, self.levels)
