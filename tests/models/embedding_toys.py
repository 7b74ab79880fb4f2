"""A cache in a folder, images of a few pixels, an encoder that writes down what it was shown."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from bench.models.embeddings import EmbeddingCache, Recipe
from bench.models.embeddings.storage import FolderStorage

RECIPE = Recipe(checkpoint="abc", size=8, precision="fp32")


def cache_in(folder: Path, *, max_bytes: int = 10**9) -> EmbeddingCache:
    return EmbeddingCache(FolderStorage(folder / "embeddings", max_bytes), device="cpu")


def pictures(count: int, *, seed: int = 0) -> Tensor:
    """(count, 1, 8, 8), each unlike the others."""
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


class Encoder:
    """(N, 1, 8, 8) -> (N, 4, 2, 2): sums over quarters, times 1 to 4. `seen`: batch sizes."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self, images: Tensor) -> Tensor:
        self.seen.append(len(images))
        return encoded(images)


def encoded(images: Tensor) -> Tensor:
    sums = images[:, 0].reshape(-1, 2, 4, 2, 4).sum((2, 4))
    return sums[:, None] * torch.arange(1.0, 5.0)[:, None, None]


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("embeddings/*/*.safetensors"))
