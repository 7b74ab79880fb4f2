"""A generator pulled under a budget: where it stops, when it is probed, what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch

from bench.contract import Progress
from bench.errors import MethodError
from bench.record.schema import Moment
from bench.unit.clock import BudgetClock
from bench.unit.drive import Drive, Probe
from bench.unit.rng import RandomStream
from tests.driving import driven


@dataclass
class Watch:
    time: float = 0.0

    def __call__(self) -> float:
        return self.time


class Given:
    """A method whose `adapt` is a generator of the test's."""

    def __init__(self, work: Any) -> None:
        self.work = work

    def adapt(self, task: object, clock: object) -> Any:
        return self.work


@dataclass
class Lab:
    """A clock on a watch that only the method moves, and the probes that were seen. The generator
    is pulled by a worker of this process."""

    seconds: float | None = None
    steps: int | None = None
    watch: Watch = field(default_factory=Watch)
    seen: list[Moment] = field(default_factory=list)
    losses: list[float | None] = field(default_factory=list)
    synchronise: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.clock = BudgetClock(seconds_limit=self.seconds, steps_limit=self.steps, now=self.watch)

    def probe(self, moment: Moment, loss: float | None) -> None:
        self.seen.append(moment)
        self.losses.append(loss)
        self.watch.time += 1000  # off the clock, or every budget would be gone

    def drive(self, work: Any, probes: int = 0, probe: Probe | None = None) -> Drive:
        return driven(
            Given(work),
            clock=self.clock,
            probe=probe or self.probe,
            probes=probes,
            synchronise=self.synchronise,
        )


def each(*progress: Progress) -> Iterator[Progress]:
    yield from progress


def endless(lab: Lab, *, lap: float = 0.0, every: int = 1) -> Iterator[Progress]:
    """A step a yield; an epoch ends after `every` of them."""
    step = 0
    while True:
        step += 1
        lab.watch.time += lap
        yield Progress(steps=1, samples=4, loss=float(step), epoch=step % every == 0)


def test_a_budget_of_steps_is_kept_exactly() -> None:
    lab = Lab(steps=7)
    phase = lab.drive(endless(lab, lap=0.5, every=3)).phase
    assert (phase.steps, phase.samples, phase.epochs) == (7, 28, 2)
    assert (phase.seconds, phase.overshoot_steps, phase.ended) == (3.5, 0, "budget")


def test_a_budget_of_seconds_ends_after_the_step_that_spends_it() -> None:
    lab = Lab(seconds=10)
    phase = lab.drive(endless(lab, lap=3.0)).phase
    assert (phase.steps, phase.seconds, phase.overshoot_seconds) == (4, 12.0, 2.0)
    assert phase.ended == "budget"


def test_steps_reported_at_once_are_an_overshoot() -> None:
    lab = Lab(steps=10)

    def epochs() -> Iterator[Progress]:
        while True:
            yield Progress(steps=4, epoch=True)

    phase = lab.drive(epochs()).phase
    assert (phase.steps, phase.overshoot_steps) == (12, 2)


def test_a_spent_budget_starts_nothing() -> None:
    lab = Lab(steps=0)
    touched: list[int] = []

    def work() -> Iterator[Progress]:
        touched.append(1)
        yield Progress()

    phase = lab.drive(work(), probes=4).phase
    assert touched == []
    assert (phase.steps, phase.ended) == (0, "budget")
    assert [moment.steps for moment in lab.seen] == [0]


def test_a_method_may_end_by_itself() -> None:
    lab = Lab(steps=100)
    phase = lab.drive(each(Progress(steps=2, samples=3), Progress(steps=1)), probes=4).phase
    assert (phase.steps, phase.samples, phase.ended) == (3, 3, "method")
    assert [moment.steps for moment in lab.seen] == [3]


def test_the_stopped_generator_is_closed() -> None:
    lab = Lab(steps=3)
    events: list[str] = []

    def work() -> Iterator[Progress]:
        try:
            while True:
                yield Progress()
        except GeneratorExit:
            events.append("exit")
            raise
        finally:
            events.append("finally")

    lab.drive(work())
    assert events == ["exit", "finally"]


def test_what_a_method_does_when_stopped_is_on_its_own_account() -> None:
    """Seconds in a `finally` are charged, and its draws come from its own stream."""
    lab = Lab(steps=2)
    drawn: list[float] = []

    def work() -> Iterator[Progress]:
        try:
            while True:
                lab.watch.time += 1.0
                yield Progress()
        finally:
            lab.watch.time += 5.0
            drawn.append(torch.rand(1).item())

    torch.manual_seed(77)
    expected_outside = torch.rand(1).item()
    torch.manual_seed(77)
    phase = lab.drive(work()).phase
    assert phase.seconds == 7.0
    assert torch.rand(1).item() == expected_outside
    with RandomStream(0).use():
        assert drawn == [torch.rand(1).item()]


def test_work_that_is_queued_when_stopped_is_paid_for() -> None:
    lab = Lab(steps=1)
    # Before and after: the call of `adapt`, the step, the end. What was queued while the clock
    # stood is paid for as well.
    waits = [0.0, 0.0, 0.0, 30.0, 4.0, 0.0]

    def synchronise() -> None:
        lab.watch.time += waits.pop(0)

    lab.synchronise = synchronise
    assert lab.drive(endless(lab, lap=1.0)).phase.seconds == 35.0
    assert waits == []


@pytest.mark.parametrize(
    ("steps", "probes", "expected"),
    [
        (100, 4, [25, 50, 75, 100]),
        (12, 12, list(range(1, 13))),
        (10, 3, [4, 7, 10]),
        (2, 4, [1, 2]),  # more probes than steps: one a step
        (9, 1, [9]),
    ],
)
def test_probes_fall_at_equal_parts_of_the_budget(
    steps: int, probes: int, expected: list[int]
) -> None:
    lab = Lab(steps=steps)
    lab.drive(endless(lab), probes=probes)
    assert [moment.steps for moment in lab.seen] == expected


def test_probes_of_a_budget_of_seconds() -> None:
    lab = Lab(seconds=10)
    lab.drive(endless(lab, lap=0.75), probes=4)
    assert [moment.seconds for moment in lab.seen] == [3.0, 5.25, 7.5, 10.5]


def test_a_long_step_does_not_owe_probes() -> None:
    """A step over three parts of the budget is followed by one probe, not by three."""
    lab = Lab(seconds=10)
    laps = [7.0, 0.5, 0.6, 1.0, 1.0]

    def work() -> Iterator[Progress]:
        for lap in laps:
            lab.watch.time += lap
            yield Progress()

    lab.drive(work(), probes=10)
    assert [moment.seconds for moment in lab.seen] == pytest.approx([7.0, 8.1, 9.1, 10.1])


def test_without_a_budget_probes_fall_at_growing_epochs() -> None:
    lab = Lab()

    def recipe() -> Iterator[Progress]:
        for step in range(1, 61):
            yield Progress(epoch=step % 2 == 0)

    phase = lab.drive(recipe(), probes=12).phase
    assert phase.ended == "method"
    assert [moment.epochs for moment in lab.seen] == [1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22, 29, 30]


def test_no_probes_where_none_are_asked_for() -> None:
    lab = Lab(steps=5)
    lab.drive(endless(lab), probes=0)
    assert lab.seen == []


def test_a_probe_gets_the_mean_loss_since_the_last_one() -> None:
    lab = Lab(steps=6)
    lab.drive(endless(lab), probes=2)  # losses 1 2 3 | 4 5 6
    assert lab.losses == [2.0, 5.0]
    silent = Lab(steps=2)
    silent.drive(each(Progress(), Progress()), probes=1)
    assert silent.losses == [None]


def test_numbers_may_come_from_numpy_and_torch() -> None:
    """A loss on the device, a count from a mask: plain numbers from here on."""
    lab = Lab(steps=4)

    def work() -> Iterator[Progress]:
        while True:
            yield Progress(
                steps=np.int64(1),  # type: ignore[arg-type]
                samples=torch.tensor(3),  # type: ignore[arg-type]
                loss=torch.tensor(2.0),  # type: ignore[arg-type]
                epoch=np.bool_(True),  # type: ignore[arg-type]
            )

    found = lab.drive(work(), probes=2)
    assert (found.phase.steps, found.phase.samples, found.phase.epochs) == (4, 12, 4)
    assert lab.losses == [2.0, 2.0]
    kinds = {type(value) for value in (*lab.losses, *(lap.samples for lap in found.laps))}
    assert kinds == {float, int}


def test_a_loss_that_is_no_number_is_none() -> None:
    """A training that diverges is a result, not a broken record."""
    lab = Lab(steps=4)
    losses = iter([1.0, float("nan"), 3.0, 5.0, 6.0])
    lab.drive((Progress(loss=loss) for loss in losses), probes=2)
    assert lab.losses == [None, 4.0]


def test_laps_are_what_each_pull_did() -> None:
    lab = Lab(steps=3)
    laps = lab.drive(endless(lab, lap=0.25), probes=3).laps
    assert [(lap.samples, lap.seconds) for lap in laps] == [(4, 0.25)] * 3


def noisy(draws: list[float]) -> Callable[[], Iterator[Progress]]:
    def work() -> Iterator[Progress]:
        for _ in range(6):
            draws.append(torch.rand(1).item())
            yield Progress()

    return work


def test_looking_at_a_run_does_not_change_it() -> None:
    """Neither the number of probes nor what they draw reaches the method's random numbers."""
    alone: list[float] = []
    lab = Lab(steps=6)
    lab.drive(noisy(alone)())

    watched: list[float] = []

    def probe(moment: Moment, loss: float | None) -> None:
        torch.manual_seed(123)
        torch.rand(17)

    Lab(steps=6).drive(noisy(watched)(), probe=probe, probes=6)
    assert watched == alone
    assert len(set(alone)) == 6


@pytest.mark.parametrize(
    ("wrong", "kind"), [(0.5, "float"), (None, "NoneType"), ({"steps": 1}, "dict")]
)
def test_a_wrong_yield_is_named(wrong: object, kind: str) -> None:
    """A bare `yield` is a mistake, not the end of the method."""
    lab = Lab(steps=5)
    closed: list[str] = []

    def work() -> Iterator[object]:
        try:
            yield Progress()
            yield wrong
        finally:
            closed.append("closed")

    message = f"^TypeError: a method yields Progress, not {kind}$"
    with pytest.raises(MethodError, match=message):
        lab.drive(work(), probes=2)
    assert closed == ["closed"]


def test_an_exception_passes_with_the_clock_stopped() -> None:
    lab = Lab(seconds=10)

    def work() -> Iterator[Progress]:
        lab.watch.time += 1.0
        yield Progress()
        lab.watch.time += 2.0
        raise ValueError("loss is not finite")

    with pytest.raises(MethodError, match=r"^ValueError: loss is not finite$"):
        lab.drive(work(), probes=1)
    lab.watch.time += 100
    assert lab.clock.seconds == 3.0
    assert lab.clock.fraction == pytest.approx(0.3)
    assert lab.seen == []


def test_a_generator_that_will_not_stop_is_an_error() -> None:
    lab = Lab(steps=1)

    def work() -> Iterator[Progress]:
        while True:
            try:
                yield Progress()
            except GeneratorExit:
                yield Progress()

    with pytest.raises(MethodError, match="RuntimeError: generator ignored GeneratorExit"):
        lab.drive(work())


@pytest.mark.parametrize(
    ("work", "kind"),
    [([Progress()], "list"), (iter([Progress()]), "list_iterator"), (None, "NoneType")],
)
def test_something_that_is_no_generator_is_an_error(work: object, kind: str) -> None:
    """Its work would be done before the first step is asked for."""
    message = f"^TypeError: adapt returned {kind}, not a generator; write `yield Progress"
    with pytest.raises(MethodError, match=message):
        Lab(steps=1).drive(work)


@pytest.mark.parametrize("wrong", [{"steps": -1}, {"samples": -4}, {"steps": 10**16}])
def test_a_count_that_is_none_is_named(wrong: dict[str, int]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(MethodError) as error:
        Lab(steps=5).drive(each(Progress(**wrong)))  # type: ignore[arg-type]
    assert str(error.value) == (
        f"the method yielded Progress({name}={value}); {name} is a whole number of 0 or more, the "
        "count since the last yield"
    )


def test_a_method_that_ends_at_a_probe_is_not_probed_twice() -> None:
    """Four steps of a recipe of four: the probe at the last step is the last point of the curve."""
    seen: list[int] = []
    lab = Lab(steps=8)
    lab.drive(
        (Progress(steps=1) for _ in range(4)),
        probe=lambda moment, loss: seen.append(moment.steps),
        probes=4,
    )
    assert seen == [2, 4]
