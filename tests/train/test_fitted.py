"""A recipe's schedule under budgets of steps, of seconds, and without one."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import pytest

from bench.contract import Progress
from bench.train.fitted import FittedSchedule
from bench.train.schedule import cosine_decay
from bench.worker.clock import MethodClock
from tests.train.published import published


def factors(
    *,
    steps: int | None = None,
    seconds: float | None = None,
    pace: float = 1.0,
    before: float = 0.0,
    at_most: int = 30_000,
    **arguments: object,
) -> list[float]:
    """Every factor of a run whose steps take `pace` seconds, after `before` seconds of other
    work."""
    now = [0.0]
    clock = MethodClock(seconds_limit=seconds, steps_limit=steps, now=lambda: now[0])
    clock.start()
    now[0] += before
    schedule = FittedSchedule(clock, **arguments)  # type: ignore[arg-type]
    found: list[float] = []
    while not clock.spent and len(found) < at_most:
        found.append(schedule())
        now[0] += pace
        clock.stop()
        clock.count(Progress())
        clock.start()
    return found


def test_a_budget_as_long_as_the_recipe_is_the_recipe() -> None:
    found = factors(steps=18_600, recipe_steps=1)
    for step, rate in [(0, 2e-5), (249, 5e-3), (9_300, 2.744e-3), (14_879, 1.246e-3)]:
        assert 5e-3 * found[step] == pytest.approx(rate, rel=3e-4)
    assert len(found) == 18_600


def test_without_a_budget_it_is_the_recipes_own() -> None:
    """Its warm-up is not cut, however short the recipe is."""
    found = factors(recipe_steps=1000, at_most=1000)
    assert found == [published(step, steps=1000, warm_up=250) for step in range(1000)]


def test_a_recipe_that_is_stopped_early() -> None:
    """200 epochs planned, 160 run: a budget of 14,880 steps ends where the recipe does."""
    found = factors(steps=14_880, recipe_steps=1, ends_at=0.8)
    assert 5e-3 * found[-1] == pytest.approx(1.246e-3, rel=3e-4)


@pytest.mark.parametrize(
    ("steps", "warm_up"), [(2500, 250), (2499, 25), (200, 25), (100, 25), (40, 10), (3, 1)]
)
def test_the_warm_up_is_cut_in_short_runs(steps: int, warm_up: int) -> None:
    found = factors(steps=steps, recipe_steps=10**6)
    assert found[:warm_up] == pytest.approx([(i + 1) / warm_up for i in range(warm_up)])
    assert found[warm_up:] == sorted(found[warm_up:], reverse=True)
    assert found[-1] == pytest.approx(((warm_up + 1) / steps) ** 0.9)


@pytest.mark.parametrize("pace", [0.01, 0.37])
def test_seconds_are_as_good_as_steps(pace: float) -> None:
    """The second step on, the pace tells how many steps there will be."""
    steps = 1000
    timed = factors(seconds=steps * pace, pace=pace, recipe_steps=10**6, at_most=steps)
    counted = factors(steps=steps, recipe_steps=10**6)
    assert timed[1:] == pytest.approx(counted[1:], rel=1e-6)
    assert timed[0] == pytest.approx(1 / 250)  # not known yet: careful


def test_work_before_the_first_step_does_not_begin_the_decay() -> None:
    """Half of the budget goes into encoding; the other half is a whole schedule."""
    late = factors(seconds=2000.0, before=1000.0, recipe_steps=1, at_most=1000)
    counted = factors(steps=1000, recipe_steps=1)
    assert late[1:] == pytest.approx(counted[1:], rel=1e-6)


def test_steps_that_become_slower() -> None:
    """It ends with the budget all the same."""
    now = [0.0]
    clock = MethodClock(seconds_limit=1000.0, steps_limit=None, now=lambda: now[0])
    schedule = FittedSchedule(clock, recipe_steps=1, decay=partial(cosine_decay, floor=0.1))
    found = []
    clock.start()
    while not clock.spent:
        found.append(schedule())
        now[0] += 1.0 if len(found) < 400 else 3.0
        clock.stop()
        clock.count(Progress())
        clock.start()
    assert max(found) == pytest.approx(1.0, abs=1e-3)
    assert found[-1] == pytest.approx(0.1, abs=1e-3)
    assert found[25:] == sorted(found[25:], reverse=True)
    assert len(found) == 600


def test_a_pace_that_wavers_around_the_limit_makes_no_jumps() -> None:
    """2,500 steps of a second, every other one a little longer."""
    now = [0.0]
    clock = MethodClock(seconds_limit=2500.0, steps_limit=None, now=lambda: now[0])
    schedule = FittedSchedule(clock, recipe_steps=1)
    found = []
    clock.start()
    while not clock.spent:
        found.append(schedule())
        now[0] += 1.0 + 0.01 * (-1) ** len(found)
        clock.stop()
        clock.count(Progress())
        clock.start()
    jumps = [abs(b - a) for a, b in pairwise(found[6:])]
    assert max(jumps) <= 1 / 25 + 1e-9


def test_a_slow_first_step_does_not_decide_the_warm_up() -> None:
    """The device warms up for as long as a hundred steps take; the run has ten thousand."""
    now = [0.0]
    clock = MethodClock(seconds_limit=10_100.0, steps_limit=None, now=lambda: now[0])
    schedule = FittedSchedule(clock, recipe_steps=1)
    clock.start()
    found = []
    for step in range(300):
        found.append(schedule())
        now[0] += 1.0 if step else 100.0
        clock.stop()
        clock.count(Progress())
        clock.start()
    assert found[1] == pytest.approx(2 / 25)  # the only step that is misled
    assert found[2:250] == pytest.approx([(i + 1) / 250 for i in range(2, 250)])


def test_nothing_left_is_no_division_by_zero() -> None:
    clock = MethodClock(seconds_limit=None, steps_limit=0)
    assert 0 < FittedSchedule(clock, recipe_steps=0)() <= 1
