"""Rates as a function of the budget that is spent."""

from __future__ import annotations

import pytest

from bench.contract import Progress
from bench.train.schedule import cosine_decay, poly_decay, poly_decay_to_zero, progress_of
from bench.worker.clock import MethodClock
from tests.train.published import published


def test_progress_is_that_of_the_budget() -> None:
    clock = MethodClock(seconds_limit=None, steps_limit=40)
    clock.count(Progress(steps=10))
    assert progress_of(clock, recipe_steps=1000) == 0.25


def test_progress_is_that_of_the_recipe_without_one() -> None:
    clock = MethodClock(seconds_limit=None, steps_limit=None)
    clock.count(Progress(steps=10))
    assert progress_of(clock, recipe_steps=40) == 0.25
    assert progress_of(clock, recipe_steps=5) == 1.0
    assert progress_of(clock, recipe_steps=0) == 1.0


@pytest.mark.parametrize(
    ("step", "rate"), [(0, 2e-5), (249, 5e-3), (9_300, 2.744e-3), (14_879, 1.246e-3)]
)
def test_published_rates(step: int, rate: float) -> None:
    """Base rate 0.005, 250 steps of warm-up, 200 epochs of 93 steps."""
    assert 5e-3 * published(step, steps=18_600, warm_up=250) == pytest.approx(rate, rel=3e-4)


def test_decays_by_hand() -> None:
    assert poly_decay(250, 1000, 250) == 1.0
    assert poly_decay(750, 1000, 250, power=1.0) == 0.5
    assert poly_decay(1000, 1000, 250, power=1.0) == 0.25  # not 0: the published formula
    assert poly_decay(1300, 1000, 250) == 0.0
    assert poly_decay_to_zero(625, 1000, 250) == pytest.approx(0.5**0.9)
    assert poly_decay_to_zero(1000, 1000, 250) == 0.0
    assert poly_decay_to_zero(5, 5, 5) == 0.0
    assert cosine_decay(50, 1050, 50) == 1.0
    assert cosine_decay(550, 1050, 50, floor=0.2) == pytest.approx(0.6)
    assert cosine_decay(300, 1050, 50) == pytest.approx((1 + 2**-0.5) / 2)
    assert cosine_decay(2000, 1050, 50, floor=0.01) == pytest.approx(0.01)
