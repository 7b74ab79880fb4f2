"""Wilcoxon's signed-rank test for many pairs at once, and Holm's correction over them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

EXACT = 50
"""Differences up to which the null distribution is exact; beyond, scipy's normal approximation."""
SAME = 9
"""Decimals: differences that only rounding errors tell apart are ties."""


def signed_rank(differences: np.ndarray) -> np.ndarray:
    """(pairs, patients), NaN for a patient that a pair has not -> two-sided p, (pairs,).

    Zeros are left out, as Wilcoxon did. Where nothing is left, p is 1.
    """
    rounded = np.round(differences, SAME)
    used = ~np.isnan(rounded) & (rounded != 0)
    counts = used.sum(axis=1)
    found = np.ones(len(rounded))
    for count in np.unique(counts[counts > 0]):
        chosen = np.flatnonzero(counts == count)
        found[chosen] = _of_one_size(rounded[chosen][used[chosen]].reshape(len(chosen), count))
    return found


def rank_sides(differences: np.ndarray) -> np.ndarray:
    """(pairs, patients) -> (pairs,): the sign of the sum of signed ranks."""
    from scipy.stats import rankdata

    rounded = np.nan_to_num(np.round(differences, SAME))
    zeros = (rounded == 0).sum(axis=1, keepdims=True)  # they have the lowest ranks, and no sign
    ranks = rankdata(np.abs(rounded), axis=1) - zeros
    found: np.ndarray = np.sign((ranks * np.sign(rounded)).sum(axis=1)).astype(int)
    return found


def _of_one_size(values: np.ndarray) -> np.ndarray:
    """(pairs, differences), none of them 0."""
    from scipy.stats import wilcoxon  # late: it costs half a second to import

    if values.shape[1] > EXACT:
        return np.array([wilcoxon(line).pvalue for line in values])
    sizes = np.sort(np.abs(values), axis=1)
    tied = (np.diff(sizes, axis=1) == 0).any(axis=1)
    found = np.empty(len(values))
    if not tied.all():
        found[~tied] = wilcoxon(values[~tied], axis=1, method="exact").pvalue
    for place in np.flatnonzero(tied):
        found[place] = _tied(values[place])
    return found


def _tied(values: np.ndarray) -> float:
    """Exact with ties, where scipy would try all signs one by one: slow, and to 13 values only."""
    from scipy.stats import rankdata

    ranks = np.rint(2 * rankdata(np.abs(values))).astype(int)  # doubled: ties have half ranks
    chances = _null(tuple(sorted(int(rank) for rank in ranks)))
    smaller = min(int(ranks[values > 0].sum()), int(ranks[values < 0].sum()))
    return min(1.0, 2 * float(chances[: smaller + 1].sum()))


@lru_cache(maxsize=4096)
def _null(ranks: tuple[int, ...]) -> np.ndarray:
    """Chance of each sum of doubled ranks if every sign is a fair coin."""
    chances = np.zeros(sum(ranks) + 1)
    chances[0] = 1.0
    for rank in ranks:
        chances[rank:] = (chances[rank:] + chances[: len(chances) - rank]) / 2
        chances[:rank] /= 2
    return chances


def smallest_p(patients: int) -> float:
    """What the test gives if every patient agrees: no difference is ever surer with so many."""
    return min(1.0, 2.0 ** (1 - patients))


def holm(p: np.ndarray) -> np.ndarray:
    """Adjusted p values of one family: sorted, times the number not yet rejected, never falling."""
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, steps)
    return adjusted
