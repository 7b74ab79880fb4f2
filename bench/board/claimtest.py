"""One comparison of a claim: the effect between two cells, and an interval of any width."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
        """Sure only where the whole interval is on one side of the bound. Two rows that are equal
        throughout (both found nothing, say) are no answer."""
        bound = above if above is not None else below
        assert bound is not None
        if self.low is None or self.high is None or self.low == self.high == bound:
            return "open"
        over, under = self.low >= bound, self.high <= bound
        if above is not None:
            return "holds" if self.low > bound else "fails" if under else "open"
        return "holds" if self.high < bound else "fails" if over else "open"


def score_effect(
    first: Cell, second: Cell, *, score: str, kind: Kind, alpha: float
) -> Effect | None:
    """Of two complete cells, paired by patient and by the draws that they have in common.

    A ratio is that of the means; its interval is worked out on its logarithm (delta method).
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
    middle, reach = float(found.mean), float(found.reach(1 - alpha / 2))
    if not found.known:
        return Effect(back(middle), None, None, *a.shape)
    return Effect(back(middle), back(middle - reach), back(middle + reach), *a.shape)


def epochs_ratio(first: Cell, second: Cell, *, alpha: float) -> Effect | None:
    """Epochs to converge, draw by draw: a t interval on the logarithm of the ratio.

    A run that did not converge needed more than it was given, so its draw's ratio is bounded on one
    side only. The lower limit is that of the lower bounds, the upper one that of the upper bounds.
    """
    ratios = [
        bounds
        for place in sorted({(u.draw, u.seed) for u in first.units})
        for a in first.units
        for b in second.units
        if (a.draw, a.seed) == place == (b.draw, b.seed) and (bounds := _bounds(a, b))
    ]
    if not ratios:
        return None
    lows, highs = zip(*ratios, strict=True)
    exact = all(low == high for low, high in ratios)
    value = math.exp(sum(lows) / len(lows)) if exact else None
    draws = len({u.draw for u in first.units} & {u.draw for u in second.units})
    patients = first.dice.patients if first.dice else 0
    if len(ratios) < 2:
        return Effect(value, None, None, draws, patients)
    low, high = _limit(lows, alpha, -1), _limit(highs, alpha, 1)
    return Effect(value, math.exp(low), math.exp(high), draws, patients)


def _bounds(a: Unit, b: Unit) -> tuple[float, float] | None:
    """Of log(a / b); None where a run has no curve, or was there at 0 epochs."""
    times = [unit.converged if unit.converged is not None else unit.censored for unit in (a, b)]
    if times[0] is None or times[1] is None or min(times[0], times[1]) <= 0:
        return None
    ratio = math.log(times[0] / times[1])
    low = ratio if b.converged is not None else -math.inf
    high = ratio if a.converged is not None else math.inf
    return low, high


def _limit(values: Sequence[float], alpha: float, side: int) -> float:
    if not all(map(math.isfinite, values)):
        return side * math.inf
    array = np.array(values)
    reach = float(stdtrit(len(array) - 1, 1 - alpha / 2)) * array.std(ddof=1) / len(array) ** 0.5
    return float(array.mean() + side * reach)


def _of(units: Sequence[Unit], draws: Sequence[str]) -> list[Unit]:
    return [unit for unit in units if unit.draw in draws]


_same: Callable[[float], float] = float
