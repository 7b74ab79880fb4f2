"""A masked autoencoder (He et al., CVPR 2022) on grey slices: the patch expert's teacher."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from timm.layers import build_sincos2d_pos_embed
from timm.models.vision_transformer import Block
from torch import Tensor, nn

MASKED = 0.75


@dataclass(frozen=True)
class MaeSize:
    width: int
    depth: int
    heads: int
    decoder_width: int
    decoder_depth: int
    decoder_heads: int


LARGE = MaeSize(1024, 24, 16, decoder_width=512, decoder_depth=8, decoder_heads=16)
"""ViT-L with the paper's decoder."""
TINY = MaeSize(128, 4, 4, decoder_width=64, decoder_depth=1, decoder_heads=4)


class MaskedAutoencoder(nn.Module):
    """Fixed sine positions, no class token."""

    positions: Tensor
    decoder_positions: Tensor

    def __init__(self, size: MaeSize, *, grid: int, patch: int) -> None:
        """grid: patches a side."""
        super().__init__()
        self.patch = patch
        self.embed = nn.Linear(patch * patch, size.width)
        self.blocks = nn.Sequential(
            *(Block(size.width, size.heads, qkv_bias=True) for _ in range(size.depth))
        )
        self.norm = nn.LayerNorm(size.width)
        self.to_decoder = nn.Linear(size.width, size.decoder_width)
        self.gap = nn.Parameter(torch.empty(size.decoder_width).normal_(std=0.02))
        self.decoder = nn.Sequential(
            *(
                Block(size.decoder_width, size.decoder_heads, qkv_bias=True)
                for _ in range(size.decoder_depth)
            ),
            nn.LayerNorm(size.decoder_width),
            nn.Linear(size.decoder_width, patch * patch),
        )
        for name, width in (("positions", size.width), ("decoder_positions", size.decoder_width)):
            table = build_sincos2d_pos_embed([grid, grid], dim=width)
            self.register_buffer(name, table, persistent=False)

    def patches(self, images: Tensor) -> Tensor:
        """(B, 1, S, S) -> (B, N, patch * patch), row by row."""
        return F.unfold(images, self.patch, stride=self.patch).transpose(1, 2)

    def draw(self, count: int) -> Tensor:
        """For each of `count` images the places that stay visible, (B, M), in random order."""
        places = len(self.positions)
        order = torch.rand(count, places, device=self.positions.device).argsort(1)
        return order[:, : round(places * (1 - MASKED))]

    def encode(self, images: Tensor, kept: Tensor) -> Tensor:
        """The visible patches' tokens, in the order of `kept`: (B, M, width)."""
        tokens = self.embed(picked(self.patches(images), kept)) + self.positions[kept]
        return self.norm(self.blocks(tokens))

    def prepare(self, images: Tensor) -> tuple[Tensor]:
        return (images,)

    def loss(self, images: Tensor) -> Tensor:
        """Mean squared error of the masked patches, each normalised by its own mean and spread."""
        kept = self.draw(len(images))
        visible = self.to_decoder(self.encode(images, kept))
        whole = self.gap.expand(len(images), len(self.positions), -1).to(visible.dtype)
        at = kept[..., None].expand_as(visible)
        whole = whole.scatter(1, at, visible) + self.decoder_positions
        found = self.decoder(whole).float()
        truth = self.patches(images)
        spread = truth.var(-1, keepdim=True)
        truth = (truth - truth.mean(-1, keepdim=True)) / (spread + 1e-6).sqrt()
        error = (found - truth).square().mean(-1)
        masked = torch.ones_like(error).scatter(1, kept, 0.0)
        return (error * masked).sum() / masked.sum()


def picked(tokens: Tensor, places: Tensor) -> Tensor:
    """tokens (B, N, C), places (B, M) -> (B, M, C), in the order of the places."""
    return tokens.gather(1, places[..., None].expand(-1, -1, tokens.shape[-1]))
