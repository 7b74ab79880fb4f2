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
    """slices (N, 1, S, S) in [0, 1], float16; tasks (N,): of which dataset; parts (N,): from which
    part of its volume, counted along the slices."""

    slices: Tensor
    tasks: Tensor
    parts: Tensor

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.slices, self.tasks, self.parts


class DomainPool:
    """names: the datasets, sorted; a slice's task is the place of its dataset in them."""

    def __init__(
        self,
        volumes: Sequence[Volume],
        canvas: Canvas,
        *,
        limit: int,
        parts: int,
        device: torch.device | str = "cpu",
    ) -> None:
        """limit: slices at most, the same number of each dataset; parts: of a volume."""
        self.names = tuple(sorted({volume.dataset for volume in volumes}))
        self.pools = [
            SlicePool(
                [volume for volume in volumes if volume.dataset == name],
                canvas,
                limit=max(1, limit // len(self.names)),
                device=device,
            )
            for name in self.names
        ]
        self.parts = [
            torch.tensor([z * parts // len(pool.volumes[n].image) for n, z in pool.places])
            for pool in self.pools
        ]

    def __len__(self) -> int:
        return sum(len(pool) for pool in self.pools)

    def choose(self, count: int) -> list[tuple[int, Tensor]]:
        """Each from a dataset drawn uniformly, then from its slices: which of which dataset."""
        tasks = torch.randint(len(self.pools), (count,)).sort().values
        many = zip(*(x.tolist() for x in tasks.unique(return_counts=True)), strict=True)
        return [(task, torch.randint(len(self.pools[task]), (n,))) for task, n in many]

    def gather(self, plan: Sequence[tuple[int, Tensor]]) -> Drawn:
        return Drawn(
            slices=torch.cat([self.pools[task].gather(chosen) for task, chosen in plan]),
            tasks=torch.cat([torch.full((len(chosen),), task) for task, chosen in plan]),
            parts=torch.cat([self.parts[task][chosen] for task, chosen in plan]),
        )

    def some(self, task: int, count: int) -> Tensor:
        """(N, 1, S, S): evenly spread slices of one dataset, at most so many."""
        pool = self.pools[task]
        return pool.take(torch.linspace(0, len(pool) - 1, min(count, len(pool))).long())
