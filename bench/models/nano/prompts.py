"""Prompts for drawn objects: points, boxes, coarse masks, and points where a guess is wrong."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.models.nano.drawing.fields import grown


def point_in(mask: Tensor, generator: torch.Generator) -> Tensor:
    """One random pixel (N, 2) as x, y inside each bool mask (N, H, W); any pixel if empty."""
    flat = mask.flatten(1).float()
    flat[flat.sum(dim=1) == 0] = 1.0
    place = torch.multinomial(flat, 1, generator=generator)[:, 0]
    width = mask.shape[-1]
    return torch.stack([place % width, place // width], dim=1).float()


def box_around(mask: Tensor, generator: torch.Generator, slack: float = 0.1) -> Tensor:
    """Loose boxes (N, 4) as x0, y0, x1, y1: each side off by up to `slack` of the box's extent."""
    high, wide = mask.shape[-2:]
    columns, rows = mask.any(dim=1), mask.any(dim=2)
    x0, y0 = columns.float().argmax(dim=1), rows.float().argmax(dim=1)
    x1 = wide - 1 - columns.flip(1).float().argmax(dim=1)
    y1 = high - 1 - rows.flip(1).float().argmax(dim=1)
    box = torch.stack([x0, y0, x1, y1], dim=1).float()
    extent = (box[:, 2:] - box[:, :2]).repeat(1, 2)
    noise = 2 * torch.rand(box.shape, generator=generator) - 1
    limit = torch.tensor([wide, high, wide, high]) - 1.0
    return torch.minimum((box + slack * extent * noise).clamp(min=0), limit)


def rough_logits(mask: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """A bad guess of each mask (N, H, W): warped, as logits (N, 1, size, size) of about +-6."""
    count = len(mask)
    line = (torch.arange(size) + 0.5) * (2 / size) - 1
    v, u = torch.meshgrid(line, line, indexing="ij")
    shift = grown(0.08 * torch.randn(count, 2, 4, 4, generator=generator), size)
    grid = torch.stack([u, v], dim=-1) + shift.permute(0, 2, 3, 1)
    soft = F.grid_sample(mask[:, None].float(), grid, align_corners=False, padding_mode="border")
    return 12 * soft - 6


def correction(guess: Tensor, mask: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A point (N, 2) in the error of a guess (N, H, W), and its label (N,): 1 missed, 0 too much.

    Where the guess is right, the point lies in the object.
    """
    wrong = guess != mask
    place = torch.where(wrong.flatten(1).any(dim=1)[:, None, None], wrong, mask)
    point = point_in(place, generator)
    rows = torch.arange(len(mask))
    label = mask[rows, point[:, 1].long(), point[:, 0].long()]
    return point, label.float()
