"""Ranks drawn again: how far a row's rank moves if other draws and patients had been met.

Both levels are drawn with replacement, draws above patients, the same for all rows. A sample of n
that is drawn again varies too little, by the factor (n - 1) / n: the weights' deviations are made
wider by its inverse's root, so that two draws do not look twice as sure as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.board.paired import Scores

REPLICATES = 1000
TAIL = 0.025
SAME = 9
"""Decimals: means that only rounding errors tell apart are tied."""


@dataclass(frozen=True)
class RankRange:
    """Rank 1 is best, ties share the better one; low to high hold 95 % of the ranks drawn again.

    best    share of the times that it was first
    shares  share of the times that it had rank 1, 2, ...
    """

    rank: int
    low: int
    high: int
    best: float
    shares: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Ranking:
    """tau: mean of Kendall's tau-b between this ranking and those drawn again; None where one of
    them has nothing but ties."""

    ranges: tuple[RankRange, ...]
    tau: float | None


def rank_rows(rows: Sequence[Scores], identity: str) -> Ranking | None:
    """`identity` names the cells: it seeds the draws. None with one row or nothing to draw from."""
    usable = np.logical_and.reduce([row.usable for row in rows]) if rows else np.zeros(0, bool)
    scored = np.logical_or.reduce([row.scored for row in rows]) if rows else np.zeros(0, bool)
    if len(rows) < 2 or not usable.any() or usable.sum() * scored.sum() < 2:
        return None
    means = np.stack([row.means[usable] for row in rows])
    parts = np.stack([row.parts[usable][:, scored] for row in rows])
    drawn = means_drawn_again(means, parts, identity)
    observed = np.round(means.mean(axis=1), SAME)
    ranks = _ranks(np.round(drawn, SAME))
    low, high = np.quantile(ranks, [TAIL, 1 - TAIL], axis=0, method="inverted_cdf").astype(int)
    places = _ranks(observed[None])[0]
    ranges = []
    for row, (place, a, b) in enumerate(zip(places, low, high, strict=True)):
        counts = np.bincount(ranks[:, row], minlength=len(rows) + 1)[1:]
        shares = tuple((counts / len(ranks)).tolist())
        ranges.append(RankRange(int(place), int(a), int(b), shares[0], shares))
    return Ranking(tuple(ranges), mean_tau(observed, np.round(drawn, SAME)))


def means_drawn_again(means: np.ndarray, parts: np.ndarray, identity: str) -> np.ndarray:
    """Means (rows, draws) and patients' parts (rows, draws, patients) -> (REPLICATES, rows)."""
    random = generator(identity)
    by_draw = weights(means.shape[1], random)
    by_patient = weights(parts.shape[2], random)
    scale = parts.shape[2]
    drawn = (parts @ by_patient.T) * scale + means[:, :, None]  # (rows, draws, replicates)
    found: np.ndarray = np.einsum("bd,rdb->br", by_draw, drawn)
    return found


def generator(identity: str) -> np.random.Generator:
    """The same stream for the same cells, whatever else is on the board."""
    digest = hashlib.sha256(identity.encode("utf-8", "surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def weights(count: int, random: np.random.Generator, times: int = REPLICATES) -> np.ndarray:
    """(times, count) that sum to 1: how often each was drawn, widened as said above."""
    drawn = random.multinomial(count, np.full(count, 1 / count), size=times)
    widening = (count / (count - 1)) ** 0.5 if count > 1 else 1.0
    found: np.ndarray = (1 + (drawn - 1) * widening) / count
    return found


def mean_tau(observed: np.ndarray, drawn: np.ndarray) -> float | None:
    """Kendall's tau-b of `observed` (rows,) with each line of `drawn` (replicates, rows)."""
    first, second = np.triu_indices(len(observed), k=1)
    here = np.sign(observed[first] - observed[second])
    there = np.sign(drawn[:, first] - drawn[:, second])
    untied = (here != 0).sum() * (there != 0).sum(axis=1)
    if not untied.all():
        return None
    return float(((there @ here) / np.sqrt(untied)).mean())


def _ranks(means: np.ndarray) -> np.ndarray:
    """(replicates, rows) -> 1 + the number of better ones."""
    found: np.ndarray = 1 + (means[:, None, :] > means[:, :, None]).sum(axis=2)
    return found
