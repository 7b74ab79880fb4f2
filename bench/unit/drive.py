"""Pulls a method's generator under the clock, and probes on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import Any, Protocol

from bench.contract import Progress
from bench.errors import MethodError
from bench.models.embeddings.ledger import Account
from bench.record.schema import EmbeddingUse, Moment, Phase
from bench.unit.clock import BudgetClock

Probe = Callable[[Moment, float | None], None]
"""Called with where the run stands and its mean loss since the last probe."""
MOST = 10**15
"""Steps or samples that one yield may report."""


class Savepoint(Protocol):
    """Where a phase is left when the unit is asked to stop, and where it goes on."""

    def asked(self) -> bool:
        """The unit is to stop."""

    def taken(self) -> dict[str, Any] | None:
        """What `leave` was given by an earlier start, once, after the pull in which the method
        went on from it."""

    def leave(self, account: dict[str, Any], tally: dict[str, Any]) -> None:
        """Ends the unit here: raises Stopped."""


@dataclass(frozen=True)
class Lap:
    """One pull: what it did and how long it took."""

    samples: int
    seconds: float


@dataclass(frozen=True)
class Drive:
    """The account of one phase."""

    phase: Phase
    laps: tuple[Lap, ...]


@dataclass
class _Due:
    """When the next probe falls: at equal parts of the budget, or at epochs 1, 2, 3, 4, 5, 6, 8, 10
    ... where there is no budget."""

    probes: int
    last: int | None = None
    next: float = 1

    def passed(self, clock: BudgetClock) -> bool:
        place = clock.fraction * self.probes if clock.limited else clock.epochs
        if self.probes == 0 or place < self.next:
            return False
        self.next = int(place) + 1 if clock.limited else max(place + 1, int(place * 4 / 3))
        return True


@dataclass
class _Tally:
    """What a phase has gathered so far, beside the clock's account."""

    due: _Due
    laps: list[Lap] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        return {
            "due": [self.due.last, self.due.next],
            "laps": [[lap.samples, lap.seconds] for lap in self.laps],
            "losses": self.losses,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.due.last, self.due.next = state["due"]
        self.laps[:] = [Lap(*lap) for lap in state["laps"]]
        self.losses[:] = state["losses"]


class Work(Protocol):
    """A method's generator, wherever it runs."""

    def pull(self) -> Progress | None:
        """One step; None where it has ended."""

    def close(self) -> None:
        """What a method does when it is stopped is its own work: on the clock."""


def drive(
    work: Work,
    *,
    clock: BudgetClock,
    probe: Probe | None = None,
    probes: int = 0,
    savepoint: Savepoint | None = None,
) -> Drive:
    """Pull `work` until the budget or the method ends, and close it. Probes run off the clock, the
    last one at the end. With a savepoint, a phase that is asked to stop ends between two pulls."""
    tally = _Tally(_Due(probes))
    laps, losses, due = tally.laps, tally.losses, tally.due
    ended: bool = False
    try:
        while not (ended := clock.spent):
            before = clock.seconds
            clock.start()
            try:
                progress = work.pull()
            finally:
                clock.stop()
            if savepoint is not None and (found := savepoint.taken()) is not None:
                tally.load(found)
                assert clock.resumed_at is not None
                before = clock.resumed_at
            if progress is None:
                break
            clock.count(check_progress(progress))
            laps.append(Lap(samples=progress.samples, seconds=clock.seconds - before))
            if progress.loss is not None:
                losses.append(progress.loss)
            if probe and due.passed(clock) and not clock.spent:
                probe(_moment(clock), _mean(losses))
                losses.clear()
                due.last = clock.steps
            if savepoint is not None and savepoint.asked() and not clock.spent:
                savepoint.leave(clock.account, tally.state())
    finally:
        _close(work, clock)
    if probe and probes and (losses or due.last != clock.steps):
        probe(_moment(clock), _mean(losses))
    phase = Phase(
        epochs=clock.epochs,
        steps=clock.steps,
        samples=clock.samples,
        seconds=clock.seconds,
        waited_seconds=clock.waited if isfinite(clock.waited) else None,
        overshoot_seconds=clock.overshoot_seconds,
        overshoot_steps=clock.overshoot_steps,
        ended="budget" if ended else "method",
        embeddings=_embeddings(clock.ledger.account),
    )
    return Drive(phase=phase, laps=tuple(laps))


def check_progress(progress: Progress) -> Progress:
    """Counts that a record can hold, or an error that says which is none."""
    for name in ("steps", "samples"):
        value = getattr(progress, name)
        if not isinstance(value, int) or not 0 <= value <= MOST:
            raise MethodError(
                f"the method yielded Progress({name}={value!r}); {name} is a whole number of 0 or "
                "more, the count since the last yield"
            )
    return progress


def _close(work: Work, clock: BudgetClock) -> None:
    clock.start()
    try:
        work.close()
    finally:
        clock.stop()


def _embeddings(account: Account) -> EmbeddingUse | None:
    return None if account.state == "unused" else EmbeddingUse(state=account.state, **vars(account))


def _moment(clock: BudgetClock) -> Moment:
    return Moment(
        epochs=clock.epochs, steps=clock.steps, samples=clock.samples, seconds=clock.seconds
    )


def _mean(values: list[float]) -> float | None:
    """None where there is nothing, or where training diverged: a record holds no NaN."""
    mean = sum(values) / len(values) if values else nan
    return mean if isfinite(mean) else None
