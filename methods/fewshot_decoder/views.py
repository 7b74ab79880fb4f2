"""Augmented copies of slices, each fixed by its slice: made before the encoder, kept after it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.train.augment import random_views

KIND = "random views, seeded by the slice"


def fixed_views(
    images: Tensor, labels: Tensor, names: Sequence[str], *, copy: int
) -> tuple[Tensor, Tensor]:
    """images (N, 1, S, S) and labels (N, S, S) -> the same, augmented as all methods augment.

    names: a hexadecimal hash of each slice. With `copy` it decides the view, whatever else is in
    the batch: the same slice in another draw has the same copies, and finds them in the cache.
    """
    device = images.device
    found = []
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        for i, name in enumerate(names):
            torch.manual_seed(int(name[:12], 16) * 64 + copy)
            found.append(random_views(images[i : i + 1], labels[i : i + 1]))
    return torch.cat([x for x, _ in found]), torch.cat([y for _, y in found])
