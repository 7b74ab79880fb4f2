"""Variances of many pairs that share few draws, each steadied by the others.

Three draws give a variance with two degrees of freedom: by luck it is often near 0, and among many
pairs some look sure of anything. Smyth's empirical Bayes (2004) takes the pairs' variances as drawn
from one scaled inverse chi-square distribution, estimates it from all of them, and gives each pair
the mean of what it saw and what the others suggest, with the degrees of freedom of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import digamma, polygamma

from bench.board.paired import Comparison

FEWEST = 3
"""Pairs below which there is nothing to learn from the others."""
MANY = 1e6
"""Degrees of freedom where the variances differ no more than chance makes them."""
FLOOR = 1e-5
"""Variances smaller than this part of their median count as that much: a 0 has no logarithm."""


def steadied(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The pairs of one column with the draws' part of their errors steadied; the patients' part has
    degrees of freedom enough. Intervals stay each pair's own."""
    found = list(comparisons)
    for draws in sorted({one.draws for one in comparisons if one.by_draw is not None}):
        places = [i for i, one in enumerate(comparisons) if one.draws == draws]
        own = np.array([comparisons[i].by_draw for i in places], float)
        variances, freedom = moderate(own, draws - 1)
        for i, variance in zip(places, variances, strict=True):
            found[i] = _with_draws(comparisons[i], float(variance), freedom)
    return found


def _with_draws(one: Comparison, by_draw: float, freedom: float) -> Comparison:
    by_patient = one.by_patient or 0.0
    total = by_draw + by_patient
    if total <= 0:
        return one
    of_patients = by_patient**2 / (one.patients - 1) if one.patients > 1 else 0.0
    return replace(one, error=total**0.5, freedom=total**2 / (by_draw**2 / freedom + of_patients))


def moderate(variances: np.ndarray, freedom: int) -> tuple[np.ndarray, float]:
    """(pairs,) with `freedom` each -> the steadied ones, and the freedom that they have."""
    usable = variances > 0
    if usable.sum() < FEWEST:
        return variances, float(freedom)
    floor = FLOOR * float(np.median(variances[usable]))
    logs = np.log(np.maximum(variances[usable], floor))
    centred = logs - digamma(freedom / 2) + np.log(freedom / 2)
    spread = float(centred.var(ddof=1)) - float(polygamma(1, freedom / 2))
    if spread <= 0:
        prior, scale = MANY, float(np.exp(centred.mean()))
    else:
        prior = min(MANY, 2 * inverse_trigamma(spread))
        scale = float(np.exp(centred.mean() + digamma(prior / 2) - np.log(prior / 2)))
    steadied = (prior * scale + freedom * variances) / (prior + freedom)
    return np.where(usable, steadied, variances), prior + freedom


def inverse_trigamma(value: float) -> float:
    """x with trigamma(x) = value, by Newton's steps on 1 / trigamma, which is nearly straight."""
    x = 0.5 + 1 / value
    for _ in range(50):
        here = float(polygamma(1, x))
        step = here * (1 - here / value) / float(polygamma(2, x))
        x += step
        if -step / x < 1e-10:
            break
    return x
