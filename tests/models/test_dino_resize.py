"""DINOv2's position table at another size."""

from __future__ import annotations

import torch
from timm.layers import resample_abs_pos_embed

from bench.models.dino.vit import resize_table


def test_timms_own_resizing_would_give_other_features() -> None:
    """Why the table is resized here: the blur of timm's filter is no rounding error."""
    table = torch.randn(1, 1 + 37 * 37, 8, generator=torch.Generator().manual_seed(2))
    ours = resize_table(table, (16, 16))
    theirs = resample_abs_pos_embed(table, [16, 16])
    assert ours.shape == theirs.shape == (1, 257, 8)
    assert (ours - theirs).norm() > 0.5 * ours.norm()
    assert torch.equal(ours[:, 0], table[:, 0])
    assert resize_table(table, (37, 37)) is table
