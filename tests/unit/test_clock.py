"""The account of a budget, on a clock that only moves when a test moves it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bench.contract import Progress
from bench.unit.clock import BudgetClock


@dataclass
class Watch:
    """A `now` that stands still."""

    time: float = 100.0

    def __call__(self) -> float:
        return self.time


def worked(clock: BudgetClock, watch: Watch, seconds: float, **progress: int) -> float:
    before = clock.seconds
    clock.start()
    watch.time += seconds
    clock.stop()
    clock.count(Progress(**progress))  # type: ignore[arg-type]
    return clock.seconds - before


def test_it_runs_only_between_start_and_stop() -> None:
    watch = Watch()
    clock = BudgetClock(seconds_limit=10, steps_limit=None, now=watch)
    watch.time += 50  # before
    assert worked(clock, watch, 2.0) == 2.0
    watch.time += 50  # a probe
    assert worked(clock, watch, 0.5) == 0.5
    watch.time += 50  # after
    assert clock.seconds == 2.5
    assert clock.fraction == 0.25


def test_it_counts_what_the_method_reports() -> None:
    watch = Watch()
    clock = BudgetClock(seconds_limit=None, steps_limit=100, now=watch)
    worked(clock, watch, 1.0, steps=1, samples=8)
    clock.count(Progress(steps=3, samples=24, epoch=True))
    assert (clock.steps, clock.samples, clock.epochs) == (4, 32, 1)
    assert clock.fraction == 0.04


def test_a_method_sees_the_budget_move_inside_its_step() -> None:
    watch = Watch()
    clock = BudgetClock(seconds_limit=10, steps_limit=None, now=watch)
    clock.start()
    watch.time += 4
    assert clock.fraction == pytest.approx(0.4)
    clock.stop()
    watch.time += 4
    assert clock.fraction == pytest.approx(0.4)


def test_it_is_spent_at_its_limit_and_not_before() -> None:
    watch = Watch()
    seconds = BudgetClock(seconds_limit=3, steps_limit=None, now=watch)
    worked(seconds, watch, 2.999)
    assert not seconds.spent
    worked(seconds, watch, 0.001)
    assert seconds.spent
    steps = BudgetClock(seconds_limit=None, steps_limit=2, now=watch)
    steps.count(Progress())
    assert not steps.spent
    steps.count(Progress())
    assert steps.spent
    assert steps.phase_steps == 2


def test_the_scarcer_of_two_limits_counts() -> None:
    watch = Watch()
    clock = BudgetClock(seconds_limit=10, steps_limit=4, now=watch)
    worked(clock, watch, 1.0)
    assert clock.fraction == 0.25
    worked(clock, watch, 8.0)
    assert clock.fraction == 0.9


def test_without_a_limit_nothing_is_ever_spent() -> None:
    watch = Watch()
    clock = BudgetClock(seconds_limit=None, steps_limit=None, now=watch)
    worked(clock, watch, 1e6)
    assert not clock.limited
    assert (clock.fraction, clock.spent, clock.phase_steps) == (0.0, False, None)
    assert (clock.overshoot_seconds, clock.overshoot_steps) == (0.0, 0)


def test_pretraining_is_charged() -> None:
    watch = Watch()
    clock = BudgetClock(
        seconds_limit=10, steps_limit=100, charged_seconds=6, charged_steps=80, now=watch
    )
    assert clock.phase_steps == 20
    assert clock.fraction == 0.0  # its own allowance is whole: a schedule starts at its start
    worked(clock, watch, 1.0, steps=10)
    assert clock.fraction == 0.5  # 10 of 20 steps, 1 of 4 seconds
    assert clock.seconds == 1.0  # the account of this phase alone


def test_pretraining_that_took_all_leaves_nothing() -> None:
    for charged in (10.0, 12.0):
        clock = BudgetClock(seconds_limit=10, steps_limit=None, charged_seconds=charged)
        assert clock.spent
    clock = BudgetClock(seconds_limit=None, steps_limit=100, charged_steps=130)
    assert clock.spent
    assert clock.phase_steps == 0


def test_a_budget_of_nothing_is_spent() -> None:
    assert BudgetClock(seconds_limit=0, steps_limit=None).spent
    assert BudgetClock(seconds_limit=None, steps_limit=0).spent


def test_overshoot_is_what_lies_beyond_the_whole_budget() -> None:
    watch = Watch()
    clock = BudgetClock(
        seconds_limit=10, steps_limit=10, charged_seconds=7, charged_steps=4, now=watch
    )
    worked(clock, watch, 3.0, steps=6)
    assert (clock.overshoot_seconds, clock.overshoot_steps) == (0.0, 0)
    worked(clock, watch, 1.5, steps=5)
    assert (clock.overshoot_seconds, clock.overshoot_steps) == (1.5, 5)
    assert clock.fraction == 1.0


def test_what_a_thread_waited_is_counted_between_start_and_stop_alone() -> None:
    watch, other = Watch(), Watch(time=7.0)
    clock = BudgetClock(seconds_limit=10, steps_limit=None, now=watch, thread_waited=other)
    for before, during in ((3.0, 0.5), (2.0, 0.25)):
        other.time += before
        clock.start()
        other.time += during
        clock.stop()
    assert clock.waited == 0.75
    assert clock.account["waited"] == 0.75


def test_what_a_cached_embedding_cost_is_spent_too() -> None:
    """Two seconds that another unit spent on embeddings count as if they had been spent here."""
    watch = Watch()
    clock = BudgetClock(seconds_limit=4, steps_limit=None, now=watch)
    clock.start()
    clock.ledger.enter(found={"a": 2.0}, computed={"b": 7.0})
    watch.time += 1.0
    assert clock.fraction == 0.75  # at once, so that a schedule sees it
    clock.stop()
    assert clock.seconds == 3.0
    clock.ledger.enter(found={"a": 2.0, "b": 7.0}, computed={})  # paid for, both
    assert clock.seconds == 3.0
    clock.ledger.enter(found={"c": 1.5}, computed={})
    assert clock.spent
    assert clock.overshoot_seconds == 0.5
