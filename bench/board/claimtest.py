"""One comparison of a claim: the effect between two cells, and an interval of any width."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import numpy as np
from scipy.special import stdtrit

from bench.board.cells import Cell
from bench.board.interval import two_level
from bench.board.order import draw_order
from bench.board.paired import scores_of, values_of
from bench.board.units import Unit

Outcome = Literal["holds", "fails", "open"]
Kind = Literal["difference", "ratio"]


@dataclass(frozen=True)
class Effect:
    """value: None where censored times leave only bounds; low, high: None without an interval, and
    infinite where they are not bounded."""

    value: float | None
    low: float | None
    high: float | None
    draws: int
    patients: int

    def outcome(self, above: float | None, below: float | None) -> Outcome:
        """Sure only where the whole interval is on one side of the bound."""
        bound = above if above is not None else below
        assert bound is not None
        if self.low is None or self.high is None:
            return "open"
        over, under = self.low >= bound, self.high <= bound
        if above is not None:
            return "holds" if self.low > bound else "fails" if under else "open"
        return "holds" if self.high < bound else "fails" if over else "open"


def score_effect(
    first: Cell, second: Cell, *, score: str, kind: Kind, alpha: float
) -> Effect | None:
    """Of two complete cells, paired by patient and by the draws that they have in common.

    A ratio is that of the means; its interval is worked out on its logarithm (delta method). Rows
    that are equal throughout (both found nothing, say) have none: they are no answer.
    """
    draws = sorted({*first.draws} & {*second.draws}, key=draw_order)
    patients = tuple(sorted({p for unit in (*first.units, *second.units) for p in unit.patients}))
    if not draws:
        return None
    pair = [scores_of(_of(cell.units, draws), draws, patients, score) for cell in (first, second)]
    values = values_of(*pair)
    if values is None:
        return None
    a, b = values
    if kind == "difference":
        found, back = two_level(a - b), _same
    else:
        means = a.mean(), b.mean()
        if min(means) <= 0:  # a ratio to nothing, or of nothing, has no logarithm
            return Effect(None, None, None, *a.shape)
        parts = (a - means[0]) / means[0] - (b - means[1]) / means[1]
        found, back = two_level(math.log(means[0] / means[1]) + parts), math.exp
    middle, reach = float(found.mean), float(found.careful_reach(alpha))
    if not found.known or np.array_equal(a, b):
        return Effect(back(middle), None, None, *a.shape)
    return Effect(back(middle), back(middle - reach), back(middle + reach), *a.shape)


def epochs_ratio(first: Cell, second: Cell, *, alpha: float) -> Effect | None:
    """Epochs to converge, draw by draw: a t interval on the logarithm of the ratio.

    A run was seen at its probes alone: it converged after the one before. One that did not needed
    more than it was given. So a draw's ratio has two bounds, each the mean over its seeds: the
    lower limit is that of the lower bounds, the upper one that of the upper bounds.
    """
    by_draw: dict[str, list[Ratio]] = defaultdict(list)
    for a in first.units:
        for b in second.units:
            if (a.draw, a.seed) == (b.draw, b.seed) and (ratio := _ratio(a, b)):
                by_draw[a.draw].append(ratio)
    ratios = [_mean(by_draw[draw]) for draw in sorted(by_draw, key=draw_order)]
    if not ratios:
        return None
    exact = _mean(ratios).exact
    value = None if exact is None else math.exp(exact)
    patients = first.dice.patients if first.dice else 0
    if len(ratios) < 2:
        return Effect(value, None, None, len(ratios), patients)
    low = _limit([ratio.low for ratio in ratios], alpha, -1)
    high = _limit([ratio.high for ratio in ratios], alpha, 1)
    return Effect(value, math.exp(low), math.exp(high), len(ratios), patients)


@dataclass(frozen=True)
class Ratio:
    """Logarithms. exact: by the probes themselves; None where a run did not converge."""

    exact: float | None
    low: float
    high: float


def _ratio(a: Unit, b: Unit) -> Ratio | None:
    """None where a run has no curve, or was there at 0 epochs."""
    spans = [_span(unit) for unit in (a, b)]
    if spans[0] is None or spans[1] is None:
        return None
    exact = math.log(a.converged / b.converged) if a.converged and b.converged else None
    (a_least, a_most), (b_least, b_most) = spans[0], spans[1]
    low = math.log(a_least / b_most) if a_least and math.isfinite(b_most) else -math.inf
    high = math.log(a_most / b_least) if b_least and math.isfinite(a_most) else math.inf
    return Ratio(exact, low, high)


def _span(unit: Unit) -> tuple[float, float] | None:
    """Epochs that were not enough, and those that were."""
    if unit.converged is not None:
        return (unit.before or 0.0, unit.converged) if unit.converged > 0 else None
    return (unit.censored, math.inf) if unit.censored else None


def _mean(ratios: Sequence[Ratio]) -> Ratio:
    """Of a draw's seeds, or of the draws. The exact one only where all are."""
    exact = [ratio.exact for ratio in ratios if ratio.exact is not None]
    return Ratio(
        fmean(exact) if len(exact) == len(ratios) else None,
        fmean(ratio.low for ratio in ratios),
        fmean(ratio.high for ratio in ratios),
    )


def _limit(values: Sequence[float], alpha: float, side: int) -> float:
    if not all(map(math.isfinite, values)):
        return side * math.inf
    array = np.array(values)
    reach = float(stdtrit(len(array) - 1, 1 - alpha / 2)) * array.std(ddof=1) / len(array) ** 0.5
    return float(array.mean() + side * reach)


def _of(units: Sequence[Unit], draws: Sequence[str]) -> list[Unit]:
    return [unit for unit in units if unit.draw in draws]


_same: Callable[[float], float] = float
