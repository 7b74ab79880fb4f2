"""Pulls a method's generator under the clock, and probes on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite, nan

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
    _next: float = 1

    def passed(self, clock: BudgetClock) -> bool:
        place = clock.fraction * self.probes if clock.limited else clock.epochs
        if self.probes == 0 or place < self._next:
            return False
        self._next = int(place) + 1 if clock.limited else max(place + 1, int(place * 4 / 3))
        return True


def drive(
    work: Iterator[Progress],
    *,
    clock: BudgetClock,
    random: RandomStream,
    probe: Probe | None = None,
    probes: int = 0,
) -> Drive:
    """Pull `work` until the budget or the method ends, and close it. Probes run off the clock, the
    last one at the end; `random` is the global random state while the method works."""
    laps: list[Lap] = []
    losses: list[float] = []
    due = _Due(probes)
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
    finally:
        _close(work, clock, random)
    if probe and probes and (losses or due.last != clock.steps):
        probe(_moment(clock), _mean(losses))
    phase = Phase(
        epochs=clock.epochs,
        steps=clock.steps,
        samples=clock.samples,
        seconds=clock.seconds,
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
