"""What a class looks like to SAM's encoder, and where in a slice it looks like that."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.train.full_precision import in_float32


def mean(cells: Tensor) -> Tensor:
    """PerSAM: (N, C) -> (C,)"""
    return cells.mean(dim=0)


def mean_and_max(cells: Tensor) -> Tensor:
    """PerSAM-F: half the mean, half the largest value of each channel."""
    return (cells.mean(dim=0) + cells.max(dim=0).values) / 2


Summary = Callable[[Tensor], Tensor]


def cells_of(embedding: Tensor, mask: Tensor) -> Tensor:
    """Cells of an embedding (C, h, w) that show a mask (S, S) bool: (N, C), at least one.

    A cell counts where the mask, resized bilinearly, is above 0. An object that falls between the
    cells has the one that it covers most.
    """
    size = embedding.shape[-2:]
    small = F.interpolate(mask[None, None].float(), size=size, mode="bilinear")[0, 0]
    if not (small > 0).any():
        small = F.interpolate(mask[None, None].float(), size=size, mode="area")[0, 0]
        small = (small == small.max()).float() * (small.max() > 0)
    return embedding[:, small > 0].T


@in_float32
def similarity(embedding: Tensor, targets: Tensor) -> Tensor:
    """Cosines of the cells of embeddings (R, C, h, w) with one target each (R, C): (R, h, w)"""
    return torch.einsum("rchw,rc->rhw", F.normalize(embedding, dim=1), F.normalize(targets, dim=1))


@in_float32
def guidance(similar: Tensor, inner: tuple[int, int]) -> Tensor:
    """Similarities (R, h, w) -> what is added to the tokens' attention to the cells, (R, h * w).

    Standardised over the `inner` rows and columns, which are the image, and squashed to 0 .. 1.
    The padding is as unlike as the most unlike cell.
    """
    rows, columns = inner
    image = similar[:, :rows, :columns].flatten(1)
    spread = image.std(dim=1, keepdim=True).clamp(min=1e-6)
    standard = (similar.flatten(1) - image.mean(dim=1, keepdim=True)) / spread
    least = ((image - image.mean(dim=1, keepdim=True)) / spread).min(dim=1).values
    inside = torch.zeros_like(similar, dtype=torch.bool)
    inside[:, :rows, :columns] = True
    return torch.where(inside.flatten(1), standard, least[:, None]).sigmoid()
