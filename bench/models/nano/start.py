"""Starting weights that let a small transformer look around itself from the first step.

The packages start attention with unrelated random queries and keys and, in SAM's encoder, without
any position. Finding out that equal positions belong together then takes a large part of a short
training. Here keys start as the queries do, so tokens attend to what is like them and near them.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from segment_anything.modeling import Sam
from torch import Tensor, nn

MATCH = 2.5  # gain of the decoder's tied projections: a point then outweighs the other 255 places


@torch.no_grad()
def settle_sam(sam: Sam) -> None:
    """Positions for the encoder; alike queries and keys in encoder and cross-attention."""
    encoder: Any = sam.image_encoder
    if encoder.pos_embed is not None:
        encoder.pos_embed.copy_(0.5 * waves(encoder.pos_embed.shape[1], encoder.pos_embed.shape[3]))
    for block in encoder.blocks:
        settle_qkv(block.attn.qkv)
    transformer = sam.mask_decoder.transformer
    crossings = [transformer.final_attn_token_to_image]
    for layer in transformer.layers:
        crossings += [layer.cross_attn_token_to_image, layer.cross_attn_image_to_token]
    for attention in crossings:
        attention.q_proj.weight.mul_(MATCH)
        attention.k_proj.weight.copy_(attention.q_proj.weight)


@torch.no_grad()
def settle_dino(network: Any) -> None:
    """The same for a timm VisionTransformer."""
    grid, width = network.patch_embed.grid_size[0], network.embed_dim
    network.pos_embed[:, network.num_prefix_tokens :] = 0.5 * waves(grid, width).flatten(1, 2)
    for block in network.blocks:
        settle_qkv(block.attn.qkv)


@torch.no_grad()
def settle_qkv(qkv: nn.Linear) -> None:
    """Give the keys of a fused projection the values of its queries."""
    width = qkv.in_features
    qkv.weight[width : 2 * width] = qkv.weight[:width]


def waves(grid: int, width: int) -> Tensor:
    """Sines and cosines of both coordinates at width / 4 frequencies: (1, grid, grid, width)."""
    count = width // 4
    speed = torch.exp(torch.linspace(math.log(math.pi / 2), math.log(math.pi * grid / 2), count))
    line = (torch.arange(grid) + 0.5) * (2 / grid) - 1
    along = line[:, None] * speed
    one = torch.cat([along.sin(), along.cos()], dim=1)
    y = one[:, None].expand(grid, grid, 2 * count)
    x = one[None].expand(grid, grid, 2 * count)
    return torch.cat([y, x], dim=2)[None]
