"""Contrastive losses: views that belong together against all others, and places of one image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.train.full_precision import in_float32


@in_float32
def contrastive(features: Tensor, positives: Tensor, *, temperature: float) -> Tensor:
    """Mean over i of -1 / |P(i)| sum over p in P(i) of log softmax over j != i of s(i, j) / tau.

    features   (n, d), of any length: s is the cosine
    positives  (n, n) bool: P(i) in row i. Its diagonal is not looked at; every row has another

    With P(i) the other view alone this is NT-Xent; with all of i's group, its supervised form.
    """
    unit = F.normalize(features, dim=-1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    scores = (unit @ unit.T / temperature).masked_fill(itself, float("-inf"))
    chances = scores.log_softmax(dim=1).masked_fill(itself, 0.0)
    wanted = positives & ~itself
    return -((chances * wanted).sum(1) / wanted.sum(1)).mean()


def other_view(count: int, device: torch.device | str = "cpu") -> Tensor:
    """(2 count, 2 count) bool: rows i and count + i are two views of one image."""
    at = torch.arange(2 * count, device=device)
    return at[:, None] == at.roll(count)[None]


def alike(labels: Tensor) -> Tensor:
    """(n,) -> (n, n) bool: whose labels are the same."""
    return labels[:, None] == labels[None]


@in_float32
def local_contrastive(
    one: Tensor, other: Tensor, places: Tensor, negatives: Tensor, *, temperature: float
) -> Tensor:
    """Mean over images and places r of
    -log exp(s(d_r, d'_r) / tau) / (exp(s(d_r, d'_r) / tau) + sum over n of exp(s(d_r, d_n) / tau)).

    one, other  (N, C, h, w): d and d', two views of the same places
    places      (N, R): cells of h x w, row by row
    negatives   (N, R, M): for each of them, which of the R are its negatives, in `one`
    """
    d, e = (_at(x, places) for x in (one, other))
    match = (d * e).sum(-1, keepdim=True)
    among = d @ d.transpose(1, 2)
    scores = torch.cat([match, among.gather(2, negatives)], dim=2) / temperature
    return -scores.log_softmax(dim=2)[..., 0].mean()


def draw_places(
    count: int, cells: int, *, places: int, negatives: int, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """For `count` images: R different cells of so many, (count, R); and for each of these some of
    the others, none twice, (count, R, M)."""
    taken = min(places, cells)
    chosen = torch.rand(count, cells, device=device).argsort(1)[:, :taken]
    # A place's own column comes last in its order, so it is never among its negatives.
    order = torch.rand(count, taken, taken, device=device)
    order += 2 * torch.eye(taken, device=device)
    return chosen, order.argsort(2)[..., : min(negatives, taken - 1)]


def _at(maps: Tensor, places: Tensor) -> Tensor:
    """(N, C, h, w) at (N, R) -> (N, R, C), unit vectors."""
    cells = maps.flatten(2).transpose(1, 2)
    found = cells.gather(1, places[..., None].expand(-1, -1, cells.shape[-1]))
    return F.normalize(found, dim=-1)
