"""One phase of a unit, left when the unit is asked to stop, and taken up by a later start.

The method's parts are saved and loaded by its own process (bench.worker.resume); the clock's
account, the curve and all other figures by this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.unit import stop
from bench.unit.clock import BudgetClock
from bench.unit.handed import give_copy
from bench.unit.saved import SavedPhase
from bench.unit.worker import Worker

SAVED = "in/saved.safetensors"


@dataclass
class PhaseSavepoint:
    """file     where the phase's state lies between two starts
    gather   what else is saved with it
    restore  is given that, where the phase goes on
    """

    file: SavedPhase
    worker: Worker
    clock: BudgetClock
    gather: Callable[[], Mapping[str, Any]] = dict
    restore: Callable[[dict[str, Any]], None] = lambda found: None
    asked: Callable[[], bool] = lambda: stop.asked()
    _found: dict[str, Any] | None = None
    _tally: dict[str, Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._found = self.file.read()
        self.worker.on("resume", self._resume)

    def hand_over(self) -> str | None:
        """Gives the worker its part, before the phase begins; its place in the worker's folder."""
        if self._found is None:
            return None
        give_copy(self.file.tensors, self.worker.folder / SAVED)
        return SAVED

    def _resume(self, facts: Mapping[str, Any]) -> tuple[dict[str, Any], list[int]]:
        """The method has its parts back, in the middle of a pull."""
        if self._found is None:
            raise ValueError("there is nothing to go on from")
        found, self._found = self._found, None
        self.clock.resume(found["clock"])
        self.restore(found["outside"])
        self._tally = found["tally"]
        answer = {
            "steps": self.clock.steps,
            "seconds": self.clock.seconds,
            "worker_seconds": self.clock.worked,
            "paid": found["clock"]["paid"],
        }
        return answer, []

    def taken(self) -> dict[str, Any] | None:
        tally, self._tally = self._tally, None
        return tally

    def leave(self, account: dict[str, Any], tally: dict[str, Any]) -> None:
        """What cannot go on begins anew another time, under a new clock."""
        left = self.worker.call("leave")
        if not left["saved"]:
            raise stop.Stopped(saved=False)
        content = {"clock": account, "tally": tally, "outside": dict(self.gather())}
        self.file.write(content, self.worker.folder / "out" / "parts.safetensors")
        raise stop.Stopped(saved=True)
