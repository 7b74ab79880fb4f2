"""Embeddings of some images, as a method gets them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bench.models.embeddings.entry import Entry
from bench.models.embeddings.ledger import Account

EMBEDDING = "embedding"
"""The name of an output that the encoder gave without one."""


@dataclass(frozen=True, eq=False)
class Embedded:
    """entries: one an image, in the order of the inputs, mapped from the disk.

    account  what this call found, computed and was spared
    """

    entries: tuple[Entry, ...]
    account: Account

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def names(self) -> tuple[str, ...]:
        """The encoder's outputs."""
        return tuple(sorted(self.entries[0].arrays)) if self.entries else ()

    def take(
        self, chosen: Sequence[int] | Tensor | None = None, *, name: str = EMBEDDING
    ) -> Tensor:
        """(N, ...) on the CPU, a copy in the precision it is kept in; None: all images."""
        picked = range(len(self)) if chosen is None else [int(i) for i in chosen]
        # numpy, because a copy in torch waits for its thread pool: 10 ms on a busy machine.
        return torch.from_numpy(np.stack([self.entries[i].arrays[name] for i in picked]))
