"""bf16 on a CPU that is slow at it: measured once, and said."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from bench.train import half_speed
from bench.train.half_speed import ROUNDS, measured_speed, warn_where_bf16_is_slow
from bench.train.precision import resolve_precision


@pytest.fixture(autouse=True)
def new_process() -> Iterator[None]:
    warn_where_bf16_is_slow.cache_clear()
    yield
    warn_where_bf16_is_slow.cache_clear()


def timer(*laps: float) -> Callable[[], float]:
    """Looked at before and after each piece of work; `laps` is what each takes."""
    times = [0.0]
    for lap in laps:
        times += [times[-1], times[-1] + lap]
    looks = iter(times[1:])
    return lambda: next(looks)


def test_the_best_round_counts_and_the_first_does_not() -> None:
    """In it the kernels are made. In another one somebody else had the core."""
    rounds = [(0.001, 9.0), (0.5, 1.0), (0.2, 0.4), (7.0, 0.9)]
    assert len(rounds) == ROUNDS + 1
    assert measured_speed(timer(*(x for pair in rounds for x in pair))) == pytest.approx(0.5)


@pytest.mark.parametrize(("speed", "said"), [(0.1, True), (0.6, True), (0.7, False), (2.0, False)])
def test_it_is_said_once_a_process_where_it_is_slow(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, speed: float, said: bool
) -> None:
    calls: list[float] = []
    monkeypatch.setattr(half_speed, "measured_speed", lambda: calls.append(speed) or speed)
    assert resolve_precision("bf16", "cpu") == resolve_precision("bf16", "cpu") == "bf16"
    assert len(calls) == 1
    line = (
        f"precision=bf16: on this CPU bf16 takes {1 / speed:.1f} times as long as fp32; "
        "precision=fp32 is faster here"
    )
    assert caplog.messages == ([line] if said else [])


@pytest.mark.parametrize("given", ["auto", "fp32"])
def test_nothing_else_is_measured(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """`auto` is fp32 on every CPU, however busy it is."""
    monkeypatch.setattr(half_speed, "measured_speed", lambda: pytest.fail("measured"))
    assert resolve_precision(given, "cpu") == "fp32"  # type: ignore[arg-type]


def test_measuring_draws_no_random_number() -> None:
    before = torch.get_rng_state()
    assert measured_speed() > 0
    assert torch.equal(torch.get_rng_state(), before)
