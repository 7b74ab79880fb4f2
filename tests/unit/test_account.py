"""The worker's account against what was measured from outside."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from bench.errors import MethodError
from bench.unit.account import check_account
from bench.unit.clock import BudgetClock


@dataclass
class Watch:
    time: float = 0.0

    def __call__(self) -> float:
        return self.time


def clock_of(seconds: float, *, waited: float = 0.0) -> BudgetClock:
    watch, stood = Watch(), Watch()
    clock = BudgetClock(None, None, now=watch, thread_waited=stood)
    clock.start()
    watch.time, stood.time = seconds, waited
    clock.stop()
    return clock


def check(
    clock: BudgetClock, worked: float, monkeypatch: pytest.MonkeyPatch, *, background: float = 0.0
) -> None:
    monkeypatch.setattr("bench.unit.account.thread_waited", lambda: 0.0)
    check_account(
        SimpleNamespace(worked=worked, waited_before=0.0),
        clock,
        SimpleNamespace(background=background),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("worked", [100.0, 94.6, 105.4])
def test_within_a_twentieth_both_are_right(worked: float, monkeypatch: pytest.MonkeyPatch) -> None:
    check(clock_of(100.0), worked, monkeypatch)


@pytest.mark.parametrize("worked", [0.0, 94.4, 105.6, 1e9])
def test_a_changed_clock_is_found(worked: float, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        MethodError, match=rf"counted {worked:.1f} s of adaptation, the harness 100"
    ):
        check(clock_of(100.0), worked, monkeypatch)


def test_an_account_that_is_no_number_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MethodError, match=r"counted nan s of adaptation, the harness 100\.0 s"):
        check(clock_of(100.0), float("nan"), monkeypatch)


def test_what_the_supervisor_waited_before_the_phase_excuses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bench.unit.account.thread_waited", lambda: 60.0)
    worker = SimpleNamespace(background=0.0)
    check_account(SimpleNamespace(worked=60.0, waited_before=20.0), clock_of(100.0), worker)  # type: ignore[arg-type]
    with pytest.raises(MethodError, match="a method must not change the clock"):
        check_account(SimpleNamespace(worked=60.0, waited_before=55.0), clock_of(100.0), worker)  # type: ignore[arg-type]


def test_what_both_waited_for_a_core_is_no_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the supervisor sees a step end later than the worker does."""
    check(clock_of(100.0, waited=20.0), 80.0, monkeypatch)


def test_a_short_phase_is_not_held_to_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    check(clock_of(0.1), 0.5, monkeypatch, background=0.4)


def test_work_while_the_clock_stood_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    check(clock_of(100.0), 100.0, monkeypatch, background=5.4)
    with pytest.raises(MethodError, match=r"child processes worked 5\.6 s while the budget"):
        check(clock_of(100.0), 100.0, monkeypatch, background=5.6)
