"""The slices of several datasets, drawn so that a large dataset does not drown a small one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.contract import Volume
from bench.data.slicepool import SlicePool
from bench.data.slices import Canvas


@dataclass(frozen=True, eq=False)
class Drawn:
    """slices (N, 1, S, S) in [0, 1]; tasks (N,): of which dataset; parts (N,): from which part of
    its volume, counted along the slices."""

    slices: Tensor
    tasks: Tensor
    parts: Tensor


class DomainPool:
    """names: the datasets, sorted; a slice's task is the place of its dataset in them."""

    def __init__(
        self, volumes: Sequence[Volume], canvas: Canvas, *, limit: int, parts: int
    ) -> None:
        """limit: slices at most, the same number of each dataset; parts: of a volume."""
        self.names = tuple(sorted({volume.dataset for volume in volumes}))
        self.pools = [
            SlicePool(
                [volume for volume in volumes if volume.dataset == name],
                canvas,
                limit=max(1, limit // len(self.names)),
            )
            for name in self.names
        ]
        self.parts = [
            torch.tensor([z * parts // len(pool.volumes[n].image) for n, z in pool.places])
            for pool in self.pools
        ]

    def __len__(self) -> int:
        return sum(len(pool) for pool in self.pools)

    def draw(self, count: int) -> Drawn:
        """Each from a dataset drawn uniformly, then from its slices."""
        tasks = torch.randint(len(self.pools), (count,)).sort().values
        slices, parts = [], []
        for task, many in zip(*tasks.unique(return_counts=True), strict=True):
            pool = self.pools[task]
            chosen = torch.randint(len(pool), (int(many),))
            slices.append(pool.take(chosen))
            parts.append(self.parts[task][chosen])
        return Drawn(slices=torch.cat(slices), tasks=tasks, parts=torch.cat(parts))

    def some(self, task: int, count: int) -> Tensor:
        """(N, 1, S, S): evenly spread slices of one dataset, at most so many."""
        pool = self.pools[task]
        return pool.take(torch.linspace(0, len(pool) - 1, min(count, len(pool))).long())
