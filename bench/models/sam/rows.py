"""SAM's decoder for rows: each has an image embedding and prompts of its own."""

from __future__ import annotations

import torch
from segment_anything.modeling import Sam
from torch import Tensor


def decode_rows(
    sam: Sam, embedding: Tensor, sparse: Tensor, dense: Tensor
) -> tuple[Tensor, Tensor]:
    """All four masks (R, 4, h, w) and their predicted IoU (R, 4): the single one, then the three.

    embedding (R, C, h, w); sparse (R, T, C) and dense (R, C, h, w) as the prompt encoder gives
    them. The package's decoder repeats one image for all prompts. The sum of image and dense
    prompt is all it uses, so the images travel inside the dense prompt and the repeated one is
    zero.
    """
    masks, quality = sam.mask_decoder.predict_masks(
        image_embeddings=torch.zeros_like(embedding[:1]),
        image_pe=sam.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=embedding + dense,
    )
    return masks.float(), quality.float()


def best_of_three(masks: Tensor, quality: Tensor) -> Tensor:
    """(R, h, w): of the three ambiguity masks the one with the best predicted IoU."""
    best = quality[:, 1:].argmax(dim=1) + 1
    return masks[torch.arange(len(masks), device=masks.device), best]
