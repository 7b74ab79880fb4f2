"""SAM's position tables for another input size, as SAMed resizes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from torch import Tensor

POSITIONS = "image_encoder.pos_embed"


def resize_tables(
    weights: Mapping[str, Tensor], *, native_grid: int, grid: int, global_blocks: Sequence[int]
) -> dict[str, Tensor]:
    """The weights for an image of `grid` x `grid` patches instead of `native_grid` squared.

    Absolute positions (1, g, g, C) are resized bilinearly; so are the relative tables of the
    blocks that see the whole image, (2g - 1, head width), along their rows. The other blocks see
    a window that does not change with the image: they keep theirs. A table whose shape is not
    that of the native grid is left alone, for the strict check to name it.
    """
    resized = dict(weights)
    if grid == native_grid:
        return resized
    positions = resized.get(POSITIONS)
    if positions is not None and positions.shape[:3] == (1, native_grid, native_grid):
        resized[POSITIONS] = _bilinear(positions.permute(0, 3, 1, 2), (grid, grid)).permute(
            0, 2, 3, 1
        )
    for block in global_blocks:
        for axis in ("h", "w"):
            name = f"image_encoder.blocks.{block}.attn.rel_pos_{axis}"
            table = resized.get(name)
            if table is not None and table.ndim == 2 and len(table) == 2 * native_grid - 1:
                size = (2 * grid - 1, table.shape[1])
                resized[name] = _bilinear(table[None, None], size)[0, 0]
    return resized


def _bilinear(table: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, C, H, W) -> (B, C, *size)"""
    return F.interpolate(table.float(), size=size, mode="bilinear", align_corners=False)
