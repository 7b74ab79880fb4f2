"""timm's ViT with the position table resized as DINOv2's own code resizes it."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

OFFSET = 0.1
"""DINOv2 enlarges the wanted grid by this before it divides: part of how the published weights
were trained and tested at sizes other than their own."""


class DinoV2(VisionTransformer):
    """Any input whose sides are multiples of the patch.

    timm resizes the table with an antialiasing filter, which blurs it: 224 pixels then give other
    features than the original model. DINOv2 resizes without one.
    """

    def _pos_embed(self, x: Tensor) -> Tensor:
        """patches (B, H, W, C) -> tokens (B, 1 + H * W, C), the class token first"""
        batch, height, width, channels = x.shape
        table = resize_table(cast(Tensor, self.pos_embed), (height, width))
        first = cast(Tensor, self.cls_token).expand(batch, -1, -1)
        tokens = torch.cat([first, x.reshape(batch, -1, channels)], dim=1)
        return self.pos_drop(tokens + table)


def resize_table(table: Tensor, grid: tuple[int, int]) -> Tensor:
    """(1, 1 + g * g, C) -> (1, 1 + H * W, C); the class token's row stays as it is."""
    side = int((table.shape[1] - 1) ** 0.5)
    if grid == (side, side):
        return table
    cells = table[:, 1:].float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
    factor = tuple((length + OFFSET) / side for length in grid)
    cells = F.interpolate(cells, scale_factor=factor, mode="bicubic", antialias=False)
    return torch.cat([table[:, :1], cells.permute(0, 2, 3, 1).flatten(1, 2).to(table.dtype)], dim=1)
