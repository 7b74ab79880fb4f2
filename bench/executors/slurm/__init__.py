"""Units as job arrays on a Slurm cluster. The command may be left: the jobs go on without it, and
the same command, in any shell that sees the results folder, finds them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from filelock import FileLock

from bench.errors import RequestError
from bench.executors.claim import Claims, fail
from bench.executors.events import Event
from bench.executors.slurm.batches import Place, places
from bench.executors.slurm.options import read_options
from bench.executors.slurm.queue import check_slurm
from bench.executors.slurm.submit import submit
from bench.executors.sweeps import FOLDER
from bench.unit.spec import Unit

POLL = 2.0
"""Seconds between two looks at the queue and the records."""
LATE = 2
"""Looks at which a job is gone and its unit has no record, before that is believed: a shared disk
may show a file some seconds after it was written."""
ITS_FAULT = ("OUT_OF_MEMORY", "FAILED", "TIMEOUT")
"""Ends of a job that a unit is recorded with, where this job had started it and it did not stop by
itself. A node that fails, or somebody who cancels, says nothing about the unit, nor does a job that
never came to it: it is left for the next run, with the state that an earlier start has saved."""


class Slurm:
    """options: `bench/conf/executor/slurm.yaml`."""

    remote: ClassVar[bool] = True
    left: ClassVar[str] = "the jobs go on without this shell: python -m bench status shows them"

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = read_options(options)
        self.waits = self.options.wait
        check_slurm()

    def run(self, units: Sequence[Unit], report: Callable[[Event], None]) -> None:
        claims = Claims(tuple(units))
        results = Path(units[0].results)
        (results / FOLDER).mkdir(parents=True, exist_ok=True)
        with FileLock(results / FOLDER / "submit.lock"):
            new = submit(units, claims.before, self.options)
        taken = len(units) - len(new)
        found = f", {taken} found in jobs that were submitted before" if taken else ""
        print(f"slurm: {len(new)} units submitted{found}", flush=True)
        if self.waits:
            self._watch(units, claims, report)

    def _watch(
        self, units: Sequence[Unit], claims: Claims, report: Callable[[Event], None]
    ) -> None:
        """Until each unit has a record, or its job has gone without one."""
        results = Path(units[0].results)
        waiting = {unit.key: unit for unit in units}
        started: set[str] = set()
        missed: dict[str, int] = {}
        while waiting:
            try:
                found = places(results)
            except RequestError as error:  # a controller that restarts is back in a minute
                print(f"slurm: {error}; looking again", flush=True)
                time.sleep(5 * POLL)
                continue
            for key, unit in list(waiting.items()):
                event = claims.ended(unit)
                place = found.get(key)
                if event is None and place is not None and place.job is not None:
                    missed.pop(key, None)
                    if key not in started and not place.job.queued and place.start(key):
                        started.add(key)
                        report(Event("started", unit))
                    continue
                if event is None:
                    missed[key] = missed.get(key, 0) + 1
                    if missed[key] <= LATE:
                        continue
                    event = _gone(unit, place)
                del waiting[key]
                report(event)
            if waiting:
                time.sleep(POLL)


def _gone(unit: Unit, place: Place | None) -> Event:
    """Its job is no longer there, and left no record."""
    if place is None:
        return Event("stopped", unit, "its job ended")
    state, more = place.end()
    reason = f"its job {place.number or ''} ended".replace("  ", " ")
    reason += f" as {state}" if state else ""
    reason += f" {more}" if more else ""
    start = place.start(unit.key)
    if state in ITS_FAULT and start is not None and not start.stopped:
        return fail(unit, f"{reason}, without a record")
    return Event("stopped", unit, reason)
