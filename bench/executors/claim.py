"""One unit, one runner: a lock a unit in the results folder, freed by the system if we die."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from bench.errors import one_line
from bench.executors.events import Event
from bench.record.schema import Files, Record
from bench.record.store import read_record, write_record
from bench.record.whole import WriteError
from bench.unit.identity import identity
from bench.unit.machine import machine_of
from bench.unit.spec import Unit
from bench.unit.trail import Trail, path_of, stamp_of


@dataclass
class Claims:
    """The units of one sweep. A record that was there when the sweep began is one to be redone; one
    that came since is somebody else's work and is kept.

    before  the stamps of the records when the sweep began; asked for where they are not given
    """

    units: tuple[Unit, ...]
    before: dict[str, int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.before:
            self.before = {unit.key: stamp_of(path_of(unit)) for unit in self.units}

    def claim(self, unit: Unit) -> FileLock | None:
        """The unit's lock, or None while somebody else holds it."""
        folder = Path(unit.results) / ".locks"
        lock = FileLock(folder / f"{unit.key}.lock", timeout=0)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            return None
        except OSError as error:
            raise WriteError(folder, error.strerror or error) from error
        return lock

    def result(self, unit: Unit) -> Record | None:
        """The record that was written since the sweep began."""
        path = path_of(unit)
        stamp = stamp_of(path)
        if stamp is None or stamp == self.before[unit.key]:
            return None
        return read_record(path)

    def ended(self, unit: Unit) -> Event | None:
        """How the unit came to that record; None where there is none."""
        record = self.result(unit)
        if record is None:
            return None
        reason = None if record.reason is None else one_line(record.reason)
        return Event("done" if record.status == "done" else "failed", unit, reason)


def fail(unit: Unit, reason: str) -> Event:
    """Writes the record of a unit whose process could not. It may have died on another machine:
    its trail says which. Before it had one, nobody knows what GPU it would have had."""
    log = f"logs/{unit.key}.log"
    kept = log if (Path(unit.results) / log).is_file() else None
    trail = Trail(unit)
    machine = trail.machine or machine_of(unit)
    record = Record(
        **identity(unit, machine),
        status="failed",
        reason=reason,
        files=Files(log=kept),
        interruptions=trail.past[:-1],  # the last one is the start that this record is of
    )
    write_record(path_of(unit), record)
    trail.clear()
    return Event("failed", unit, reason)
