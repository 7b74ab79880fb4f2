"""Which labelled slices PerSAM-F learns its weights on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.models.embeddings.labelled import Chunk


@dataclass(frozen=True, eq=False)
class References:
    """R classes in slices of one chunk: embedding (R, C, h, w) float32, labels (R, S, S), kinds
    (R,) from 0; shape: rows and columns that they are compared at."""

    embedding: Tensor
    labels: Tensor
    kinds: Tensor
    shape: tuple[int, int]


def references(chunks: Sequence[Chunk], *, classes: int, most: int) -> Iterator[References]:
    """For each class at most so many of the slices that show it, evenly spread."""
    places: list[list[tuple[int, int]]] = [
        [
            (number, row)
            for number, chunk in enumerate(chunks)
            for row, label in enumerate(chunk.labels)
            if bool((label == kind + 1).any())
        ]
        for kind in range(classes)
    ]
    wanted = {
        (number, row, kind)
        for kind, found in enumerate(places)
        for number, row in (found[i] for i in spread(len(found), most))
    }
    for number, chunk in enumerate(chunks):
        here = sorted((row, kind) for n, row, kind in wanted if n == number)
        if here:
            rows = [row for row, _ in here]
            yield References(
                embedding=chunk.embedded.take(rows).float(),
                labels=chunk.labels[rows],
                kinds=torch.tensor([kind for _, kind in here]),
                shape=chunk.inner,
            )


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the numbers below `count`, evenly spread, all where they are few."""
    if count <= most:
        return list(range(count))
    return [int((i + 0.5) * count / most) for i in range(most)]
