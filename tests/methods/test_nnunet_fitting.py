"""How many epochs of how many steps a budget has room for."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from methods.nnunet.fitting import MEASURED, Fitting, Length, length_of

RECIPE = Length(epochs=1000, iterations=250)


@dataclass
class Paced:
    """A budget whose share is spent at a pace of so much a step."""

    spent: float = 0.0
    step_limit: int | None = None
    limited: bool = True
    steps: int = 0

    @property
    def fraction(self) -> float:
        return min(1.0, self.spent)


@pytest.mark.parametrize(
    ("steps", "length"),
    [
        (12, Length(12, 1)),
        (199, Length(199, 1)),
        (500, Length(100, 5)),
        (510, Length(102, 5)),
        (25_000, Length(100, 250)),
        (250_000, Length(1000, 250)),
        (1_000_000, Length(4000, 250)),
    ],
)
def test_epochs_are_the_recipes_or_a_hundred_shorter_ones(steps: int, length: Length) -> None:
    assert length_of(steps, RECIPE) == length


@pytest.mark.parametrize("steps", [1, 12, 250, 1003])
def test_a_budget_of_steps_is_fitted_exactly(steps: int) -> None:
    """As many epochs as were said at the start: nnU-Net's rate ends where the budget ends."""
    fitting = Fitting(Paced(step_limit=steps), RECIPE)
    assert fitting.iterations is not None
    first = fitting.epochs(done=0)
    assert (first - 1) * fitting.iterations < steps <= first * fitting.iterations
    for done in range(first):
        assert fitting.epochs(done) == first
        for _ in range(fitting.iterations):
            fitting.measure()


def test_without_a_budget_it_is_the_recipe() -> None:
    fitting = Fitting(Paced(limited=False), RECIPE)
    assert (fitting.iterations, fitting.epochs(0), fitting.epochs(999)) == (250, 1000, 1000)


def test_a_budget_of_seconds_is_measured_from_the_second_step_on() -> None:
    """A tenth for the preparation, a tenth for the slow first step, then 1/1000 a step."""
    clock = Paced(spent=0.1)
    fitting = Fitting(clock, RECIPE)
    clock.spent = 0.2
    fitting.measure()
    while fitting.steps < MEASURED:
        assert fitting.iterations is None
        clock.spent += 0.001
        fitting.measure()
    # 800 steps of 1/1000 in all after the first: epochs of eight.
    assert fitting.iterations == 8
    left = round((1 - clock.spent) / 0.001)
    assert fitting.epochs(done=1) == 1 + -(-left // 8)


def test_a_changed_pace_changes_the_number_of_epochs() -> None:
    clock = Paced()
    fitting = Fitting(clock, RECIPE)
    for _ in range(51):
        fitting.measure()
        clock.spent += 0.01
    clock.spent = 0.5  # fifty steps from the first to here
    before = fitting.epochs(done=40)
    for _ in range(10):
        clock.spent += 0.03
        fitting.measure()
    assert (fitting.iterations, before) == (1, 90)
    # A fifth is left; 61 steps took the rest of it, so that the pace is 0.8 / 60.
    assert fitting.epochs(done=50) == 65
