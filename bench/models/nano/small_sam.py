"""SAM on smaller images than it was built for: the first part of its training sees a quarter of the
pixels, and several times more images a second."""

from __future__ import annotations

import torch.nn.functional as F
from segment_anything.modeling import Sam
from torch import Tensor


def set_image_size(sam: Sam, size: int) -> None:
    """Prompts are read on this grid from now on. No weight changes."""
    grid = size // sam.image_encoder.patch_embed.proj.kernel_size[0]
    prompts = sam.prompt_encoder
    prompts.input_image_size = (size, size)
    prompts.image_embedding_size = (grid, grid)
    prompts.mask_input_size = (4 * grid, 4 * grid)


def encoded(sam: Sam, images: Tensor) -> Tensor:
    """Normalised images (N, 3, H, H) -> embeddings (N, C, h, h); the position table is resized to
    their grid, the package itself resizes its relative ones."""
    encoder = sam.image_encoder
    x = encoder.patch_embed(images)
    places = encoder.pos_embed
    if places.shape[1:3] != x.shape[1:3]:
        table = places.permute(0, 3, 1, 2)
        places = F.interpolate(table, size=x.shape[1:3], mode="bilinear").permute(0, 2, 3, 1)
    x = x + places
    for block in encoder.blocks:
        x = block(x)
    return encoder.neck(x.permute(0, 3, 1, 2))
