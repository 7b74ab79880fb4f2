"""H-SAM's hierarchical pixel decoder: both stages' features, up to a quarter of a patch."""

from __future__ import annotations

import torch
from segment_anything.modeling.mask_decoder import MLP
from torch import Tensor, nn

from bench.models.sam.norm import ChannelNorm

MLP_DEPTH = 5


class PixelDecoder(nn.Module):
    """Image (B, C, h, w), tokens (B, T, C) and the first stage's (B, C / 8, 4h, 4w) ->
    logits (B, T, 16h, 16w)."""

    def __init__(self, width: int, *, masks: int) -> None:
        super().__init__()
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(width, width // 4, kernel_size=2, stride=2),
            ChannelNorm(width // 4),
            nn.GELU(),
            nn.ConvTranspose2d(width // 4, width // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.skip_connect = nn.Sequential(
            nn.ConvTranspose2d(width // 4, width // 8, kernel_size=2, stride=2),
            ChannelNorm(width // 8),
            nn.GELU(),
            nn.ConvTranspose2d(width // 8, width // 16, kernel_size=2, stride=2),
            ChannelNorm(width // 16),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            MLP(width, width, width // 16, MLP_DEPTH) for _ in range(masks)
        )

    def forward(self, image: Tensor, tokens: Tensor, upscaled: Tensor) -> Tensor:
        own = self.output_upscaling(image)
        pixels = self.skip_connect(torch.cat([own, upscaled], dim=1))
        weights = torch.stack(
            [mlp(tokens[:, i]) for i, mlp in enumerate(self.output_hypernetworks_mlps)], dim=1
        )
        return torch.einsum("bkc,bchw->bkhw", weights, pixels)
