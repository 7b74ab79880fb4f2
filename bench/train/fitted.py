"""A recipe's own schedule, in steps, fitted to whatever the budget leaves room for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.contract import Clock
from bench.train.schedule import Decay, poly_decay

SHORT = 10
"""A run of fewer warm-ups than this is short: its warm-up is cut."""

SETTLED = 5
"""Steps after which the pace is trusted and the warm-up stays as it is: a run whose pace wavers
around the limit would otherwise jump between two rates."""


@dataclass
class FittedSchedule:
    """Call it once before each step: the factor on the base rate.

    recipe_steps   length of the recipe where there is no budget
    warm_up        steps of linear warm-up, as the recipe states them
    short_warm_up  what they are cut to where the budget leaves fewer than ten times `warm_up`
    ends_at        share of the decay that a whole run sees: 0.8 for a recipe of 200 epochs that
                   is stopped at 160
    """

    clock: Clock
    recipe_steps: int
    warm_up: int = 250
    short_warm_up: int = 25
    decay: Decay = poly_decay
    ends_at: float = 1.0
    _first: int | None = field(default=None, repr=False)
    _before: tuple[int, float] = field(default=(0, 0.0), repr=False)
    _since: tuple[int, float] = field(default=(0, 0.0), repr=False)
    _warm: int | None = field(default=None, repr=False)

    def __call__(self) -> float:
        step = self.clock.steps
        self._look(step)
        total = self._total(step)
        warm_up = self._warm_up(step, total)
        if step < warm_up:
            return (step + 1) / warm_up
        return self.decay(float(step), total / self.ends_at, float(warm_up))

    def state_dict(self) -> dict[str, Any]:
        """What it saw so far: a training that goes on elsewhere has the same rates."""
        return {
            "first": self._first,
            "before": self._before,
            "since": self._since,
            "warm": self._warm,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._first, self._warm = state["first"], state["warm"]
        self._before, self._since = state["before"], state["since"]

    def _look(self, step: int) -> None:
        """The pace counts from the first step on, what was spent before (encoding, say) is no part
        of it; and from the second on, where there is one: the first also warms the device up."""
        if self._first is None:
            self._first = step
        if step <= self._first + 1:
            self._before, self._since = self._since, (step, self.clock.fraction)

    def _total(self, step: int) -> float:
        """Steps of the whole run; from the pace so far where there is a budget."""
        if not self.clock.limited:
            return float(max(1, self.recipe_steps))
        since, share = self._since if step > self._since[0] else self._before
        spent = self.clock.fraction
        if step > since and spent > share:
            return step + (1 - spent) * (step - since) / (spent - share)
        # Nothing known yet: the careful guess is a long run, whose first rates are the lower ones.
        return float(self.clock.step_limit or max(self.recipe_steps, SHORT * self.warm_up))

    def _warm_up(self, step: int, total: float) -> int:
        if not self.clock.limited:
            return self.warm_up
        if self._warm is None or step <= SETTLED:
            steps = round(total)
            short = max(1, min(self.short_warm_up, steps // 4))
            self._warm = self.warm_up if steps >= SHORT * self.warm_up else short
        return self._warm
