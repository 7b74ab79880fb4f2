"""SAM's prompt encoder without a wait for the device, and with places in float32.

The package picks points by masks, each of which a GPU has to count before it goes on: six waits a
call. And under autocast it takes the places of points in half precision, in which neighbouring
pixels of a 1024 px canvas are the same.
"""

from __future__ import annotations

import torch
from segment_anything.modeling import PromptEncoder
from torch import Tensor

from bench.train.full_precision import in_float32


def encode_prompts(
    encoder: PromptEncoder,
    points: tuple[Tensor, Tensor] | None,
    boxes: Tensor | None,
    masks: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """What the package's own call gives for each prompt: sparse (R, T, C), dense (R, C, h, w).

    points (R, P, 2) as x, y on the canvas and their labels (R, P): 1, 0, or -1 for none; boxes
    (R, 4); masks (R, 1, 4h, 4w) logits. At least points or boxes.
    """
    found = []
    if points is not None:
        found.append(_embed_points(points[0], points[1], encoder, pad=boxes is None))
    if boxes is not None:
        found.append(_embed_boxes(boxes, encoder))
    sparse = torch.cat(found, dim=1)
    if masks is not None:
        return sparse, encoder._embed_masks(masks)
    dense = encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
    return sparse, dense.expand(len(sparse), -1, *encoder.image_embedding_size)


@in_float32
def _embed_points(points: Tensor, labels: Tensor, encoder: PromptEncoder, *, pad: bool) -> Tensor:
    """(R, P, C), with `pad` one more that says that there is no box."""
    points = points + 0.5  # centre of the pixel
    if pad:
        points = torch.cat([points, points.new_zeros(len(points), 1, 2)], dim=1)
        labels = torch.cat([labels, -labels.new_ones(len(labels), 1)], dim=1)
    codes = encoder.pe_layer.forward_with_coords(points, encoder.input_image_size)
    kind = labels[..., None]
    codes = torch.where(kind == -1, encoder.not_a_point_embed.weight, codes)
    for value in (0, 1):
        shifted = codes + encoder.point_embeddings[value].weight
        codes = torch.where(kind == value, shifted, codes)
    return codes


@in_float32
def _embed_boxes(boxes: Tensor, encoder: PromptEncoder) -> Tensor:
    embedded: Tensor = encoder._embed_boxes(boxes)
    return embedded
