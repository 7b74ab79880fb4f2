"""What a prompt is for SAM and for SAM 2, and what they answer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bench.contract import Volume
from bench.data.slices import Canvas
from methods.sam_prompt.prompts import Box, inner_point, loose_box, outer_point, tight_box

FRAME = 1024
"""Jitter is told in pixels of an input of this side."""
INSIDE, OUTSIDE, NONE = 1, 0, -1
BOX = (2, 3)
"""The labels of a box's corners, as SAM 2 takes them."""


@dataclass(frozen=True, eq=False)
class Row:
    """One object in one slice. mask: (H, W) bool, the reference."""

    z: int
    kind: int
    mask: np.ndarray


@dataclass(frozen=True, eq=False)
class Prompts:
    """points (R, P, 2), x and y on the canvas; labels (R, P): 1 inside, 0 outside, 2 and 3 corners
    of a box, -1 none."""

    points: Tensor
    labels: Tensor

    @property
    def boxes(self) -> Tensor | None:
        """(R, 4), where the prompts are boxes."""
        return self.points.flatten(1) if int(self.labels[0, 0]) == BOX[0] else None


def objects_of(volume: Volume, classes: int) -> list[Row]:
    """Every class in every slice that shows it, from the reference."""
    assert volume.label is not None
    rows = []
    for z in range(len(volume.label)):
        for kind in range(classes):
            mask = volume.label[z] == kind + 1
            if mask.any():
                rows.append(Row(z, kind, mask))
    return rows


def prompts_for(
    rows: Sequence[Row], volume: Volume, canvas: Canvas, *, prompt: str, jitter: float, seed: int
) -> Prompts:
    """One prompt a row. The same for the same slice, in any batch and in any run."""
    points: list[list[tuple[float, float]]] = []
    labels: list[list[int]] = []
    spacing = volume.spacing[1:]
    for row in rows:
        if prompt == "box":
            x0, y0, x1, y1 = _box(row, volume, canvas, jitter, seed)
            points.append([(x0, y0), (x1, y1)])
            labels.append([*BOX])
            continue
        points.append([inner_point(row.mask, spacing)])
        labels.append([INSIDE])
        if prompt == "point_neg":
            outside = outer_point(row.mask, spacing)
            points[-1].append(outside or (0, 0))
            labels[-1].append(NONE if outside is None else OUTSIDE)
    return Prompts(_on_canvas(points, volume, canvas), torch.tensor(labels, dtype=torch.int32))


def _box(row: Row, volume: Volume, canvas: Canvas, jitter: float, seed: int) -> Box:
    """Jitter is in pixels of the input, so it is the same share of any image."""
    box, shape = tight_box(row.mask), row.mask.shape
    if not jitter:
        return box
    words = f"{seed}|{volume.case}|{row.z}|{row.kind}"
    digest = hashlib.sha256(words.encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    most = jitter / FRAME * max(shape)
    return loose_box(box, most, (shape[0], shape[1]), random)


def _on_canvas(
    points: Sequence[Sequence[tuple[float, float]]], volume: Volume, canvas: Canvas
) -> Tensor:
    """Centres of pixels stay centres: (x + 0.5) * scale - 0.5."""
    height, width = volume.image.shape[1:]
    rows, columns = canvas.inner(height, width)
    scale = torch.tensor([columns / width, rows / height])
    return (torch.tensor(points, dtype=torch.float32) + 0.5) * scale - 0.5


def best_candidates(
    masks: Tensor, quality: Tensor, rows: Sequence[Row], canvas: Canvas, *, candidate: str
) -> Tensor:
    """Candidates (R, M, h, w), their predicted IoU (R, M) -> which of them counts, (R,).

    candidate  "best_of_three" looks at the reference once more: an upper bound, told apart
    """
    if candidate == "best_of_three":
        quality = torch.stack(
            [_overlap(each, row.mask, canvas) for each, row in zip(masks, rows, strict=True)]
        )
    return quality.argmax(dim=1).to(masks.device)


def _overlap(masks: Tensor, reference: np.ndarray, canvas: Canvas) -> Tensor:
    """IoU of M masks (M, h, w) with a reference (H, W), on the reference's grid: (M,)"""
    height, width = reference.shape
    found = canvas.scores_back(masks[None], height, width)[0] > 0
    true = torch.from_numpy(reference).to(found.device)
    shared, either = (found & true).sum(dim=(1, 2)), (found | true).sum(dim=(1, 2))
    return shared / either.clamp(min=1)
