"""What earlier starts of a unit left behind: when they were stopped, what there is to go on from.

`.units/<key>/` in the results folder. It is there while a unit runs and after it was stopped or
killed, and it is removed when its record is written.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.record.schema import Interruption, Machine
from bench.record.store import record_path
from bench.record.whole import whole
from bench.unit.machine import machine_of
from bench.unit.saved import SavedPhase, place_of
from bench.unit.spec import Unit


def path_of(unit: Unit) -> Path:
    """Of its record."""
    return record_path(Path(unit.results), unit.request, unit.key)


def stamp_of(path: Path) -> int | None:
    """Tells one version of a file from the next; None where there is none."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass
class Trail:
    """Only the process that holds the unit's lock writes it.

    past     earlier starts, oldest first
    machine  of the last start: whoever writes a record for it may be on another one
    """

    unit: Unit
    past: list[Interruption] = field(default_factory=list)
    machine: Machine | None = None
    _saver: int | None = None
    """Which of them left the state that there is."""
    _now: Interruption = field(default_factory=lambda: Interruption(started=_now()))

    def __post_init__(self) -> None:
        """A trail that was begun before another record was written is that record's: cold."""
        try:
            found = json.loads(self._file.read_bytes())
            warm = found["before"] == stamp_of(path_of(self.unit))
            if warm:
                self.past = [Interruption.model_validate(part) for part in found["starts"]]
                machine = found.get("machine")
                self.machine = None if machine is None else Machine.model_validate(machine)
                saver = found["saver"]
                self._saver = None if saver is None else range(len(self.past)).index(saver)
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError):  # damaged: as good as none
            warm = False
        if not warm:
            self.clear()

    @property
    def folder(self) -> Path:
        return Path(self.unit.results) / ".units" / self.unit.key

    @property
    def _file(self) -> Path:
        return self.folder / "trail.json"

    @property
    def saved(self) -> bool:
        """There is a state to go on from."""
        return self._saver is not None

    def begin(self) -> None:
        """This start is an interruption, too, unless it comes to its record."""
        self.machine = machine_of(self.unit)
        self._write()

    def runs_on(self, machine: Machine) -> None:
        """The unit's GPU has said its name."""
        if machine != self.machine:
            self.machine = machine
            self._write()

    def stopped(self, *, saved: bool) -> None:
        """This start was asked to stop, and did."""
        self._now = self._now.model_copy(update={"stopped": _now()})
        self._saver = len(self.past) if saved else self._saver
        self._write()

    def resumed(self) -> None:
        """This start has gone on from what an earlier one left."""
        assert self._saver is not None
        self.past[self._saver] = self.past[self._saver].model_copy(update={"resumed": True})
        self._write()

    def state(self, name: str, machine: Machine) -> SavedPhase:
        return SavedPhase(self.folder / name, place_of(machine))

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self) -> None:
        text = json.dumps(
            {
                "before": stamp_of(path_of(self.unit)),
                "title": self.unit.title,
                "saver": self._saver,
                "machine": None if self.machine is None else self.machine.model_dump(),
                "starts": [start.model_dump() for start in (*self.past, self._now)],
            }
        )
        with whole(self._file) as scratch:
            scratch.write_text(text, encoding="utf-8")


def tidy(done: Sequence[Unit]) -> None:
    """Units that were killed between their record and the end of their trail have left it behind.
    A trail that a later start is to go on from stays."""
    try:
        left = set(os.listdir(Path(done[0].results) / ".units")) if done else set()
    except FileNotFoundError:
        return
    for unit in done if left else ():
        if unit.key in left:
            Trail(unit)
