"""Target embeddings: what one labelled slice says of one class, as tokens for the decoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from scipy.cluster.vq import kmeans2
from torch import Tensor

from bench.protocol import UNLABELLED

TARGET, RING = 0, 1
"""Kinds of tokens; each has a learned type vector. RING: the background around the structure."""

SMALL = 1e-3
"""Of a cell: a structure that covers less in all is its largest cell."""

ROUNDS = 20


@dataclass(frozen=True, eq=False)
class Target:
    """tokens (m, C), kinds (m,): one class in one slice."""

    tokens: Tensor
    kinds: Tensor


def class_share(labels: Tensor, value: int, grid: tuple[int, int]) -> Tensor:
    """labels (N, S, S) -> (N, h, w) in [0, 1]: how much of a cell is of the class."""
    return F.interpolate((labels == value).float()[:, None], size=grid, mode="area")[:, 0]


def ring_share(share: Tensor, labels: Tensor, *, reach: int) -> Tensor:
    """share (N, h, w), labels (N, S, S) -> (N, h, w): labelled parts of the cells that are free of
    the class, at most `reach` cells away from it."""
    near = F.max_pool2d((share > 0).float()[:, None], 2 * reach + 1, stride=1, padding=reach)[:, 0]
    known = F.interpolate(
        (labels != UNLABELLED).float()[:, None], size=share.shape[-2:], mode="area"
    )[:, 0]
    return near * (share == 0) * known


def pooled(embedding: Tensor, share: Tensor) -> Tensor:
    """embedding (C, h, w), share (h, w), not all 0 -> (C,): the mean over its cells."""
    if share.sum() < SMALL:
        share = (share == share.max()).float()
    return (embedding * share).sum(dim=(1, 2)) / share.sum()


def cells_of(embedding: Tensor, share: Tensor) -> Tensor:
    """(m, C): the cells of which at least half is the class, else the one with most of it."""
    chosen = share >= min(0.5, float(share.max()))
    return embedding[:, chosen].T


def centroids(cells: Tensor, count: int) -> Tensor:
    """(m, C) -> (at most `count`, C): k-means that starts from cells far from each other."""
    distance = (cells - cells.mean(dim=0)).square().sum(dim=1)
    chosen: list[int] = []
    while len(chosen) < count and distance.max() > 0:
        chosen.append(int(distance.argmax()))
        from_it = (cells - cells[chosen[-1]]).square().sum(dim=1)
        distance = from_it if len(chosen) == 1 else torch.minimum(distance, from_it)
    if not chosen:
        return cells[:1]  # all are the same
    if len(chosen) == len(cells):
        return cells
    found, _ = kmeans2(cells.numpy(), cells[chosen].numpy(), iter=ROUNDS, minit="matrix")
    return torch.from_numpy(found)


Operator = Callable[[Tensor, Tensor, Tensor], Target]
"""embedding (C, h, w), class share and ring share (h, w) -> the slice's target."""


def operator(mode: str, *, clusters: int) -> Operator:
    """By `target_mode`. "proto" averages what "pool" gives, over slices, later. "cells" keeps all:
    some are drawn at each step. "crop" pools an embedding of its own."""

    def pool(embedding: Tensor, share: Tensor, _: Tensor) -> Target:
        return _targets(pooled(embedding, share)[None])

    def kmeans(embedding: Tensor, share: Tensor, _: Tensor) -> Target:
        return _targets(centroids(cells_of(embedding, share), clusters))

    def cells(embedding: Tensor, share: Tensor, _: Tensor) -> Target:
        return _targets(cells_of(embedding, share))

    def pool_bg(embedding: Tensor, share: Tensor, ring: Tensor) -> Target:
        inside = pooled(embedding, share)[None]
        if not ring.any():
            return _targets(inside)
        around = pooled(embedding, ring)[None]
        return Target(torch.cat([inside, around]), torch.tensor([TARGET, RING]))

    operators = {
        "pool": pool,
        "proto": pool,
        "crop": pool,
        "kmeans": kmeans,
        "cells": cells,
        "pool_bg": pool_bg,
    }
    return operators[mode]


def _targets(tokens: Tensor) -> Target:
    return Target(tokens, torch.full((len(tokens),), TARGET))
