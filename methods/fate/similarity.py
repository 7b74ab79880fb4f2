"""How unlike two slices are for SAM 2's own encoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.models.sam2.encode import Features

CHUNK = 8
"""Slices of the pool that are compared at a time: they are kept in half precision."""


def halved(features: Features) -> Features:
    return Features(*(each.half() for each in vars(features).values()))


def joined(parts: Sequence[Features]) -> Features:
    return Features(
        s4=torch.cat([part.s4 for part in parts]),
        s8=torch.cat([part.s8 for part in parts]),
        s16=torch.cat([part.s16 for part in parts]),
    )


def distances(query: Features, pool: Features) -> Tensor:
    """(B, N): absolute differences, summed over channels; means over positions, then levels."""
    found = []
    for name, level in vars(query).items():
        positions = level.shape[-2] * level.shape[-1]
        rows = level.float().flatten(1)
        parts = getattr(pool, name).split(CHUNK)
        columns = [torch.cdist(rows, part.float().flatten(1), p=1) for part in parts]
        found.append(torch.cat(columns, dim=1) / positions)
    return torch.stack(found).mean(dim=0)


def nearest(far: Tensor, allowed: Tensor, count: int) -> list[list[int]]:
    """For each row of distances (D, N), numbers of allowed slices, the nearest last; of equals the
    first of the pool is nearer."""
    numbers = allowed.nonzero()[:, 0]
    order = far[:, allowed].argsort(dim=1, stable=True)[:, :count]
    return numbers[order].flip(1).tolist()
