"""In which order samples are seen: whole random passes, joined where one is less than an epoch."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


def batches(
    count: int, *, batch: int, steps: int, generator: torch.Generator | None = None
) -> Iterator[Tensor]:
    """Indices of `steps` batches of `batch` samples out of `count`. None: torch's own generator."""
    passes = -(-batch * steps // count)
    order = torch.cat([torch.randperm(count, generator=generator) for _ in range(passes)])
    yield from order[: batch * steps].split(batch)
