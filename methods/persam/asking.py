"""PerSAM's and PerSAM-F's ways from a target to a mask. A row is one class in one slice."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from segment_anything.modeling import Sam
from torch import Tensor

from bench.data.slices import Canvas
from bench.data.transfer import constant
from bench.models.sam.prompts import encode_prompts
from bench.models.sam.rows import best_of_three, decode_rows
from methods.persam.guided import guided_mask
from methods.persam.places import Shape, boxes_of, extremes
from methods.persam.target import guidance, similarity


@dataclass(frozen=True, eq=False)
class Rows:
    """embedding (R, C, h, w) of the slices; targets (R, C) of the classes; shape: the slices' own
    rows and columns."""

    embedding: Tensor
    targets: Tensor
    shape: Shape


def personal(sam: Sam, canvas: Canvas, rows: Rows) -> Tensor:
    """PerSAM, (R, 4h, 4w): a guided mask from the likeliest and the unlikeliest point, then twice
    refined, with its mask and then with its box too."""
    similar = similarity(rows.embedding, rows.targets)
    points = extremes(similar, canvas, rows.shape)
    labels = constant((1, 0), torch.int64, points.device).expand(len(points), -1)
    sparse, dense = encode_prompts(sam.prompt_encoder, (points, labels), None, None)
    cells = similar.shape[-1] / canvas.size
    inner = tuple(max(1, round(side * cells)) for side in canvas.inner(*rows.shape))
    guide = guidance(similar, (inner[0], inner[1]))
    first = guided_mask(sam, rows.embedding, sparse, dense, rows.targets, guide)
    second = refined(sam, rows.embedding, points, labels, first)
    return boxed(sam, canvas, rows, points, labels, second)


def three_scales(sam: Sam, canvas: Canvas, rows: Rows) -> tuple[Tensor, Tensor]:
    """PerSAM-F's start: SAM's three masks (R, 3, 4h, 4w) at the likeliest point (R, 1, 2)."""
    points = extremes(similarity(rows.embedding, rows.targets), canvas, rows.shape)[:, :1]
    labels = torch.ones(points.shape[:2], device=points.device)
    sparse, dense = encode_prompts(sam.prompt_encoder, (points, labels), None, None)
    masks, _ = decode_rows(sam, rows.embedding, sparse, dense)
    return masks[:, 1:], points


def weighted(masks: Tensor, learned: Tensor) -> Tensor:
    """Three masks (R, 3, h, w) and two learned weights a row (R, 2) -> (R, h, w); the first mask
    has what the two leave of 1."""
    weights = torch.cat([1 - learned.sum(dim=1, keepdim=True), learned], dim=1)
    return (masks * weights[:, :, None, None]).sum(dim=1)


def personal_f(sam: Sam, canvas: Canvas, rows: Rows, learned: Tensor) -> Tensor:
    """PerSAM-F, (R, 4h, 4w): the weighted mask, twice refined with its mask and its box."""
    masks, points = three_scales(sam, canvas, rows)
    labels = torch.ones(points.shape[:2], device=points.device)
    first = weighted(masks, learned)
    second = boxed(sam, canvas, rows, points, labels, first)
    return boxed(sam, canvas, rows, points, labels, second)


def boxed(
    sam: Sam, canvas: Canvas, rows: Rows, points: Tensor, labels: Tensor, logits: Tensor
) -> Tensor:
    """Refined with mask and box; a mask without a pixel has no box and stays as it is."""
    boxes, shown = boxes_of(logits, canvas, rows.shape)
    there = shown.nonzero()[:, 0]  # by number: each use of a mask would count it anew
    if not len(there):
        return logits.clone()
    result = logits.clone()
    result[there] = refined(
        sam, rows.embedding[there], points[there], labels[there], logits[there], boxes[there]
    )
    return result


def refined(
    sam: Sam,
    embedding: Tensor,
    points: Tensor,
    labels: Tensor,
    logits: Tensor,
    boxes: Tensor | None = None,
) -> Tensor:
    """The best rated of the three masks for the points and the mask before."""
    sparse, dense = encode_prompts(sam.prompt_encoder, (points, labels), boxes, logits[:, None])
    return best_of_three(*decode_rows(sam, embedding, sparse, dense))
