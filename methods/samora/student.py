"""SAM's encoder as the student of stage 1: frozen but for one expert at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from segment_anything.modeling import ImageEncoderViT
from torch import Tensor, nn

from bench.models.sam.encoder import Hooks, encode
from bench.models.sam.entry import SamEntry
from bench.models.sam.experts import expert_state
from bench.models.sam.lora import use_lora


class SamStudent(nn.Module):
    """What stage 1 needs of an encoder; another base gives these in its own way.

    size             side of the slices, in pixels         patch  side of a token, in pixels
    token_width      channels of its last tokens           width  channels of its embedding
    """

    def __init__(
        self, encoder: ImageEncoderViT, entry: SamEntry, levels: Sequence[str], *, precision: str
    ) -> None:
        """levels: the experts that were added to the encoder."""
        super().__init__()
        self.encoder, self.entry, self.precision = encoder, entry, precision
        self.levels = tuple(levels)
        self.size = encoder.img_size
        self.patch = encoder.patch_embed.proj.kernel_size[0]
        self.token_width = encoder.pos_embed.shape[-1]
        self.width = encoder.neck[0].out_channels

    def learn(self, level: str) -> list[nn.Parameter]:
        """This expert alone acts, and its parameters are to be trained: these."""
        use_lora(self.encoder, [level])
        return [p for p in self.encoder.parameters() if p.requires_grad]

    def embeddings(self, images: Tensor) -> Tensor:
        """(B, 1, S, S) in [0, 1] -> (B, C, h, w)"""
        return encode(self.encoder, self.entry(images), precision=self.precision)

    def tokens(self, images: Tensor) -> Tensor:
        """(B, 1, S, S) -> those of the last block, before the neck: (B, h * w, W)"""
        last = torch.empty(0)

        def keep(_: int, x: Tensor) -> Tensor:
            nonlocal last
            last = x
            return x

        hooks = Hooks(after=keep)
        encode(self.encoder, self.entry(images), precision=self.precision, hooks=hooks)
        return last.flatten(1, 2).float()

    def state(self) -> dict[str, Tensor]:
        """All experts, with their factors."""
        return expert_state(self.encoder, self.levels)
