"""A part of the budget: several trainings, one after the other, under one clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.contract import Clock, Progress

ROUNDING = 1e-9
"""A fifth of what is left after four fifths is a little less or more than the last fifth."""


@dataclass
class Share:
    """The clock as one of these trainings sees it: its own steps, its own fraction, its own end.

    part  of what the whole clock has left when this training begins
    """

    whole: Clock
    part: float
    _steps: int = field(init=False)
    _from: float = field(init=False)

    def __post_init__(self) -> None:
        self._steps, self._from = self.whole.steps, self.whole.fraction

    @property
    def limited(self) -> bool:
        return self.whole.limited

    @property
    def fraction(self) -> float:
        room = (1 - self._from) * self.part
        if not self.limited or room <= 0:
            return float(self.limited)
        return min(1.0, (self.whole.fraction - self._from) / room)

    @property
    def steps(self) -> int:
        return self.whole.steps - self._steps

    @property
    def step_limit(self) -> int | None:
        limit = self.whole.step_limit
        return None if limit is None else max(1, round((1 - self._from) * self.part * limit))


def parts(weights: Sequence[float]) -> list[float]:
    """Of what is left each time, so that all end where the whole ends: [1, 1, 2] -> 1/4, 1/3, 1."""
    return [weight / sum(weights[i:]) for i, weight in enumerate(weights)]


def until_spent(work: Iterator[Progress], clock: Share) -> Iterator[Progress]:
    """A training, ended where its share of the budget is spent."""
    for progress in work:
        yield progress
        if clock.limited and clock.fraction > 1 - ROUNDING:
            return
