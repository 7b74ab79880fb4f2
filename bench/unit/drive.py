"""Pulls a method's generator under the clock, and probes on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import Any

from bench.contract import Progress
from bench.models.embeddings.ledger import Account
from bench.record.schema import EmbeddingUse, Moment, Phase
from bench.unit.clock import BudgetClock
from bench.unit.rng import RandomStream

_END = object()
"""What a pull gives where the generator has ended. Not None: a bare `yield` is a mistake."""

Probe = Callable[[Moment, float | None], None]
"""Called with where the run stands and its mean loss since the last probe."""


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


def drive(
    work: Iterator[Progress],
    *,
    clock: BudgetClock,
    random: RandomStream,
    probe: Probe | None = None,
    probes: int = 0,
) -> Drive:
    """Pull `work` until the budget or the method ends, and close it. Probes run off the clock, the
    last one at the end; `random` is the global random state while the method works.

    Where the clock has a savepoint, a phase that is asked to stop ends between two pulls."""
    tally = _Tally(_Due(probes))
    laps, losses, due = tally.laps, tally.losses, tally.due
    savepoint = clock.savepoint
    ended: bool = False
    try:
        while not (ended := clock.spent):
            before = clock.seconds
            clock.start()
            try:
                with random.use(), clock.ledger.use():
                    progress = next(work, _END)
            finally:
                clock.stop()
            if savepoint is not None and savepoint.waiting:
                tally.load(savepoint.take())
                before = clock.resumed_at
            if progress is _END:
                break
            if not isinstance(progress, Progress):
                raise TypeError(f"a method yields Progress, not {type(progress).__name__}")
            clock.count(progress)
            laps.append(Lap(samples=int(progress.samples), seconds=clock.seconds - before))
            if progress.loss is not None:
                losses.append(float(progress.loss))  # a tensor would stay on the device
            if probe and due.passed(clock) and not clock.spent:
                probe(_moment(clock), _mean(losses))
                losses.clear()
                due.last = clock.steps
            if savepoint is not None and savepoint.asked() and not clock.spent:
                savepoint.leave(clock.account, random, tally.state())
    finally:
        _close(work, clock, random)
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


def _close(work: Iterator[Progress], clock: BudgetClock, random: RandomStream) -> None:
    """What a method does when it is stopped is its own work: on the clock, in its own stream."""
    close = getattr(work, "close", None)
    if close is None:
        return
    clock.start()
    try:
        with random.use(), clock.ledger.use():
            close()
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
