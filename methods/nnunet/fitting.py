"""nnU-Net's epochs and iterations, fitted to whatever the budget leaves room for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from bench.contract import Clock

FEWEST_EPOCHS = 100
"""Its rate falls once an epoch: a run of fewer epochs would come down in coarse steps."""
MEASURED = 4
"""Steps after which the pace is known. The first is not counted: it warms the device up."""


@dataclass(frozen=True)
class Length:
    """epochs of `iterations` optimiser steps each."""

    epochs: int
    iterations: int


def length_of(steps: float, recipe: Length) -> Length:
    """About `steps` steps: epochs as long as the recipe's, shorter where there'd be too few."""
    iterations = max(1, min(recipe.iterations, int(steps) // FEWEST_EPOCHS))
    return Length(epochs=max(1, math.ceil(steps / iterations)), iterations=iterations)


@dataclass
class Fitting:
    """`measure` is called after each step, `epochs` before each epoch.

    A budget of steps says how many there are. One of seconds does not: the first steps are
    measured, all of them in the first epoch, and the number of epochs is looked at again at each
    epoch's start, since a machine's pace changes.
    """

    clock: Clock
    recipe: Length
    steps: int = field(default=0, init=False)
    iterations: int | None = field(default=None, init=False)
    """Of an epoch; None while the pace is not known."""
    _first: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        if not self.clock.limited:
            self.iterations = self.recipe.iterations
        elif self.clock.step_limit is not None:
            self.iterations = length_of(self.clock.step_limit, self.recipe).iterations

    def measure(self) -> None:
        self.steps += 1
        if self.steps == 1:
            self._first = self.clock.fraction
        if self.iterations is None and self.steps >= MEASURED:
            self.iterations = length_of(self.steps + self._left(), self.recipe).iterations

    def epochs(self, done: int) -> int:
        """Epochs of the whole run, of which `done` are over; one more at least under a budget."""
        if not self.clock.limited or self.iterations is None:
            return (
                self.recipe.epochs
            )  # in the first epoch only its length matters, not their number
        return done + max(1, math.ceil(self._left() / self.iterations))

    def _left(self) -> float:
        """Steps that there is still room for."""
        if self.clock.step_limit is not None:
            return self.clock.step_limit - self.steps
        pace = (self.clock.fraction - self._first) / (self.steps - 1)
        return (1 - self.clock.fraction) / max(pace, 1e-9)
