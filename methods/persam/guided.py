"""SAM's decoder with PerSAM's two guides: the target in the queries, the map in the attention.

As in the released code, the target is also a part of the tokens' positional code: there it is added
in place to the tensor that both are.
"""

from __future__ import annotations

import math

import torch
from segment_anything.modeling import Sam, TwoWayTransformer
from segment_anything.modeling.transformer import Attention
from torch import Tensor


def guided_mask(
    sam: Sam, embedding: Tensor, sparse: Tensor, dense: Tensor, target: Tensor, guide: Tensor
) -> Tensor:
    """(R, 4h, 4w): SAM's single mask. embedding (R, C, h, w); sparse (R, T, C) and dense
    (R, C, h, w) as the prompt encoder gives them; target (R, C); guide (R, h * w)."""
    decoder, count = sam.mask_decoder, len(embedding)
    learned = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([learned.expand(count, -1, -1), sparse], dim=1)
    queries, image = guided(
        decoder.transformer,
        embedding + dense,
        sam.prompt_encoder.get_dense_pe(),
        tokens,
        target[:, None],
        guide[:, None, None],
    )
    weights = decoder.output_hypernetworks_mlps[0](queries[:, 1])
    return torch.einsum("rc,rchw->rhw", weights, decoder.output_upscaling(image)).float()


def guided(
    transformer: TwoWayTransformer,
    image: Tensor,
    positions: Tensor,
    tokens: Tensor,
    target: Tensor,
    guide: Tensor,
) -> tuple[Tensor, Tensor]:
    """image (R, C, h, w), positions (1, C, h, w), tokens (R, T, C), target (R, 1, C), guide
    (R, 1, 1, h * w) -> tokens (R, T, C) and image (R, C, h, w) after the transformer."""
    size = image.shape[-2:]
    keys, places = (x.flatten(2).transpose(1, 2) for x in (image, positions))
    codes = tokens + target
    queries = codes
    for number, layer in enumerate(transformer.layers):
        if number:
            queries = queries + target
        if layer.skip_first_layer_pe:
            queries = layer.self_attn(queries, queries, queries)
        else:
            q = queries + codes
            queries = queries + layer.self_attn(q, q, queries)
        queries = layer.norm1(queries)
        looked = _attend(
            layer.cross_attn_token_to_image, queries + codes, keys + places, keys, guide
        )
        queries = layer.norm2(queries + looked)
        queries = layer.norm3(queries + layer.mlp(queries))
        keys = keys + layer.cross_attn_image_to_token(keys + places, queries + codes, queries)
        keys = layer.norm4(keys)
    last = transformer.final_attn_token_to_image
    queries = queries + last(queries + codes + target, keys + places, keys)
    return transformer.norm_final_attn(queries), keys.transpose(1, 2).unflatten(2, size)


def _attend(attention: Attention, q: Tensor, k: Tensor, v: Tensor, guide: Tensor) -> Tensor:
    """The guide is added to the shares of attention, which are then made shares once more."""
    projected = (attention.q_proj(q), attention.k_proj(k), attention.v_proj(v))
    heads = [x.unflatten(2, (attention.num_heads, -1)).transpose(1, 2) for x in projected]
    scores = heads[0] @ heads[1].transpose(2, 3) / math.sqrt(heads[0].shape[-1])
    shares = (scores.softmax(dim=-1) + guide).softmax(dim=-1)
    return attention.out_proj((shares @ heads[2]).transpose(1, 2).flatten(2))
