"""When runs converge and first reach a Dice level, by every clock: medians of censored times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.board.censored import Median, censored_median
from bench.board.units import Event, Unit
from bench.record.schema import CurvePoint, Moment, Record

CLOCKS = ("epochs", "steps", "samples", "seconds")
CONVERGED = "converged"


@dataclass(frozen=True)
class Times:
    """One event of one cell. seconds: None where its units ran on several machines."""

    event: str
    epochs: Median
    steps: Median
    samples: Median
    seconds: Median | None


def events_of(record: Record) -> tuple[Event, ...]:
    """An event that was not reached ends where observation did: at the last probe."""
    found = record.convergence
    if found is None:
        return ()
    end = _moment(record.curve[-1]) if record.curve else found.censored_at or found.converged
    if end is None:
        return ()
    reached = {CONVERGED: found.converged, **found.targets}
    ends = {CONVERGED: found.censored_at}
    return tuple(
        Event(name, at is not None, at or ends.get(name) or end) for name, at in reached.items()
    )


def _moment(point: CurvePoint) -> Moment:
    return Moment(
        epochs=point.epochs, steps=point.steps, samples=point.samples, seconds=point.seconds
    )


def times_of(units: Sequence[Unit]) -> list[Times]:
    """Kaplan-Meier medians over the units of a complete cell, of the events that all of them have.

    Convergence first, then the levels from the lowest.
    """
    by_name: dict[str, list[Event]] = {}
    for unit in units:
        for event in unit.events:
            by_name.setdefault(event.name, []).append(event)
    one_machine = len({unit.machine.fingerprint for unit in units}) == 1
    return [
        Times(
            event=name,
            epochs=_median(by_name[name], "epochs"),
            steps=_median(by_name[name], "steps"),
            samples=_median(by_name[name], "samples"),
            seconds=_median(by_name[name], "seconds") if one_machine else None,
        )
        for name in sorted(by_name, key=lambda name: (name != CONVERGED, name))
        if len(by_name[name]) == len(units)
    ]


def _median(events: Sequence[Event], clock: str) -> Median:
    found = censored_median(
        [float(getattr(event.at, clock)) for event in events if event.reached],
        [float(getattr(event.at, clock)) for event in events if not event.reached],
    )
    assert found is not None  # there is at least one event
    return found
