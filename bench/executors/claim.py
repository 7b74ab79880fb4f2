"""One unit, one runner: a lock a unit in the results folder, freed by the system if we die."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from bench.executors.events import Event
from bench.record.schema import Record
from bench.record.store import read_record, record_path, write_record
from bench.unit.spec import Unit


def _stamp(path: Path) -> int | None:
    """Tells one version of a record from the next; None where there is none."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


@dataclass
class Claims:
    """The units of one sweep. A record that was there when the sweep began is one to be redone; one
    that came since is somebody else's work and is kept."""

    units: tuple[Unit, ...]
    _before: dict[str, int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._before = {unit.key: _stamp(path_of(unit)) for unit in self.units}

    def claim(self, unit: Unit) -> FileLock | None:
        """The unit's lock, or None while somebody else holds it."""
        folder = Path(unit.results) / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{unit.key}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            return None
        return lock

    def result(self, unit: Unit) -> Record | None:
        """The record that was written since the sweep began."""
        path = path_of(unit)
        stamp = _stamp(path)
        if stamp is None or stamp == self._before[unit.key]:
            return None
        return read_record(path)


def path_of(unit: Unit) -> Path:
    return record_path(Path(unit.results), unit.request, unit.key)


def fail(unit: Unit, reason: str) -> Event:
    """Writes the record of a unit whose process could not."""
    from bench.record.schema import Files
    from bench.unit.life import identity

    log = f"logs/{unit.key}.log"
    kept = log if (Path(unit.results) / log).is_file() else None
    record = Record(**identity(unit), status="failed", reason=reason, files=Files(log=kept))
    write_record(path_of(unit), record)
    return Event("failed", unit, reason)
