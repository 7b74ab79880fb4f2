"""A SAM of `segment_anything`'s own classes, in the size that its card says."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)
from torch import nn

from bench.errors import RequestError
from bench.models.checkpoints.card import SamCard
from bench.models.checkpoints.file import checkpoint_file
from bench.models.checkpoints.fill import fill, freeze, same_randomness
from bench.models.checkpoints.reading import read_weights
from bench.models.sam.resize import resize_tables


def make_sam(card: SamCard, *, image_size: int | None = None) -> Sam:
    """The architecture with random weights, trainable. `image_size`: side of the square input."""
    shape = card.architecture
    size = card.input_size if image_size is None else image_size
    if size <= 0 or size % shape.patch:
        raise RequestError(
            f"{card.family} {card.name}: an image size of {size} is no multiple of its patch, "
            f"{shape.patch} pixels"
        )
    grid = (size // shape.patch, size // shape.patch)
    return Sam(
        image_encoder=ImageEncoderViT(
            img_size=size,
            patch_size=shape.patch,
            embed_dim=shape.width,
            depth=shape.depth,
            num_heads=shape.heads,
            mlp_ratio=shape.mlp_ratio,
            out_chans=shape.embedding,
            qkv_bias=True,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=shape.window,
            global_attn_indexes=shape.global_blocks,
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=shape.embedding,
            image_embedding_size=grid,
            input_image_size=(size, size),
            mask_in_chans=16,
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(
                depth=2, embedding_dim=shape.embedding, mlp_dim=shape.decoder_mlp, num_heads=8
            ),
            transformer_dim=shape.embedding,
            iou_head_depth=3,
            iou_head_hidden_dim=shape.iou_hidden,
        ),
        pixel_mean=list(card.normalisation.mean),
        pixel_std=list(card.normalisation.std),
    )


def build_sam(
    card: SamCard,
    *,
    image_size: int | None = None,
    device: str | torch.device = "cpu",
    cache: Path | str | None = None,
) -> Sam:
    """The card's SAM with its weights: evaluation mode, frozen, on the device.

    image_size: side of the square input, a multiple of the patch; None: the checkpoint's own.
    The position tables are resized for another one.
    """
    with same_randomness():
        sam = make_sam(card, image_size=image_size)
    path = checkpoint_file(card, cache)
    weights = resize_tables(
        read_weights(path, nesting=card.nesting),
        native_grid=card.input_size // card.architecture.patch,
        grid=sam.image_encoder.img_size // card.architecture.patch,
        global_blocks=card.architecture.global_blocks,
    )
    fill(sam, weights, source=str(path))
    return freeze(sam, device)
