"""SAM's mask decoder for many rows at once: a row is an image with prompt tokens of its own.

The package's decoder takes one image and repeats it for its prompts, all of one length. Here each
row has its image, and rows with fewer tokens are padded: padding is never attended to, so a row
gives the same mask alone and in any batch. The weights are the package's modules.
"""

from __future__ import annotations

import torch.nn.functional as F
from segment_anything.modeling import TwoWayTransformer
from segment_anything.modeling.transformer import Attention
from torch import Tensor


def two_way(
    transformer: TwoWayTransformer,
    image: Tensor,
    positions: Tensor,
    tokens: Tensor,
    known: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """image (R, C, h, w), positions (1, C, h, w), tokens (R, T, C) -> both after the transformer.

    known: (R, T), False where a token is padding; None: there is none. What comes out of padding
    means nothing.
    """
    size = image.shape[-2:]
    keys = image.flatten(2).transpose(1, 2)
    places = positions.flatten(2).transpose(1, 2)
    mask = None if known is None else known[:, None, None]
    queries = tokens
    for layer in transformer.layers:
        if layer.skip_first_layer_pe:
            queries = _attend(layer.self_attn, queries, queries, queries, mask)
        else:
            q = queries + tokens
            queries = queries + _attend(layer.self_attn, q, q, queries, mask)
        queries = layer.norm1(queries)
        queries = queries + _attend(
            layer.cross_attn_token_to_image, queries + tokens, keys + places, keys
        )
        queries = layer.norm2(queries)
        queries = layer.norm3(queries + layer.mlp(queries))
        keys = keys + _attend(
            layer.cross_attn_image_to_token, keys + places, queries + tokens, queries, mask
        )
        keys = layer.norm4(keys)
    last = transformer.final_attn_token_to_image
    queries = queries + _attend(last, queries + tokens, keys + places, keys)
    queries = transformer.norm_final_attn(queries)
    return queries, keys.transpose(1, 2).unflatten(2, size)


def _attend(
    attention: Attention, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None
) -> Tensor:
    """(R, N, C), (R, M, C), (R, M, C) -> (R, N, C); mask (R, 1, 1, M), False is not looked at."""
    projected = (attention.q_proj(q), attention.k_proj(k), attention.v_proj(v))
    heads = [x.unflatten(2, (attention.num_heads, -1)).transpose(1, 2) for x in projected]
    found = F.scaled_dot_product_attention(heads[0], heads[1], heads[2], attn_mask=mask)
    return attention.out_proj(found.transpose(1, 2).flatten(2))
