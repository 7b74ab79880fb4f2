"""Points and boxes from maps, on the slices' own grid and on the canvas: x is a column, y a row."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.data.slices import Canvas
from bench.data.transfer import constant

Shape = tuple[int, int]
"""Rows and columns of the slices' own grid."""


def extremes(similar: Tensor, canvas: Canvas, shape: Shape) -> Tensor:
    """Maps (R, h, w) -> (R, 2, 2): the pixels of the highest and of the lowest similarity, as
    points on the canvas; of equals the first."""
    native = canvas.scores_back(similar[:, None], *shape).flatten(1)
    found = torch.stack([native.argmax(dim=1), native.argmin(dim=1)], dim=1)
    points = torch.stack([found % shape[1], found // shape[1]], dim=-1)
    return _on_canvas(points, canvas, shape)


def boxes_of(logits: Tensor, canvas: Canvas, shape: Shape) -> tuple[Tensor, Tensor]:
    """Logits (R, h, w) -> the outermost rows and columns above 0 as boxes on the canvas, (R, 4),
    and which masks have any, (R,)."""
    mask = canvas.scores_back(logits[:, None], *shape)[:, 0] > 0
    columns, rows = mask.any(dim=1), mask.any(dim=2)
    first = torch.stack([columns.float().argmax(dim=1), rows.float().argmax(dim=1)], dim=1)
    last = torch.stack(
        [
            shape[1] - 1 - columns.flip(1).float().argmax(dim=1),
            shape[0] - 1 - rows.flip(1).float().argmax(dim=1),
        ],
        dim=1,
    )
    corners = torch.stack([first, last], dim=1)
    return _on_canvas(corners, canvas, shape).flatten(1), mask.flatten(1).any(dim=1)


def _on_canvas(points: Tensor, canvas: Canvas, shape: Shape) -> Tensor:
    """Centres of pixels stay centres: (x + 0.5) * scale - 0.5."""
    rows, columns = canvas.inner(*shape)
    scale = constant((columns / shape[1], rows / shape[0]), torch.float32, points.device)
    return (points + 0.5) * scale - 0.5
