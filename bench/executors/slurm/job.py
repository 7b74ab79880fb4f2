"""What runs on a node: the units of one job, each in a process of its own, as `local` runs them.

Slurm's warnings come as signals. Before the time limit, and where the cluster is set up so before a
preemption, SIGUSR2: the units save their state and the job is put back into the queue. SIGTERM:
they save, and Slurm ends the job, which it may start again by itself.
"""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.executors.claim import Claims, fail
from bench.executors.events import Event
from bench.executors.local import Local
from bench.executors.process import UnitProcess, ask_all, start
from bench.unit.spec import Unit
from bench.unit.trail import Trail

TRIES = 3
"""Starts of a unit that cannot go on where it was stopped, each ended by the job's time limit."""
SLACK = 90.0
"""Slurm's warning may come a minute early, and it looks at its clock twice a minute."""
TERMINATED = 25.0
"""Seconds to save after SIGTERM; Slurm kills half a minute later, if it was not told otherwise."""


@dataclass
class SlurmJob:
    """file     its units, as `submit` wrote them
    minutes  its limit; grace: seconds before it at which Slurm warns
    """

    file: str
    minutes: int
    grace: int
    began: float = 0.0
    _alone: UnitProcess | None = None

    def __call__(self) -> None:
        self.began = time.monotonic()
        content = json.loads(Path(self.file).read_bytes())
        units = [Unit.model_validate(unit) for unit in content["units"]]
        self._local = Local(content["options"])
        self._ended = False
        signal.signal(signal.SIGTERM, self._terminate)
        if content["stage"] == "pretrain":
            self._pretrain(units, threads=content["options"]["threads"])
        else:
            self._local.run(units, _say, Claims(tuple(units), before=content["before"]))
        while self._ended:  # a job that ended by itself would not be started again
            time.sleep(1)

    def checkpoint(self) -> Any:
        """submitit calls it on SIGUSR2: what it gives back is put into the queue again."""
        from submitit.helpers import DelayedSubmission

        stopped = self._local.running()
        self._stop(max(5.0, self.grace - SLACK / 2))
        if time.monotonic() - self.began >= 60 * self.minutes - self.grace - SLACK:
            for unit in stopped:
                self._give_up(unit)
        return DelayedSubmission(SlurmJob(self.file, self.minutes, self.grace))

    def _stop(self, seconds: float) -> None:
        self._local.stop(seconds)
        if self._alone is not None:
            ask_all([self._alone], seconds=seconds)

    def _terminate(self, number: int, frame: Any) -> None:
        self._ended = True
        self._stop(TERMINATED)

    def _give_up(self, unit: Unit) -> None:
        """A unit that began anew each time, and never came to its end."""
        trail = Trail(unit)
        if len(trail.past) >= TRIES and not trail.saved:
            fail(
                unit,
                f"stopped {len(trail.past)} times by its job's limit of {self.minutes} min, and "
                "its method can't go on where it was stopped: give it more executor.time",
            )

    def _pretrain(self, units: list[Unit], *, threads: int) -> None:
        """Leaves no record; whoever needs it and does not find it meets the same error."""
        for unit in units:
            assert unit.pretrain is not None
            if self._local.stopping:
                return
            log = Path(unit.results) / "logs" / f"{unit.pretrain.key}.log"
            self._alone = start(unit, threads=threads, log=log)
            while self._alone.code() is None:
                time.sleep(0.2)
            self._alone.end()


def _say(event: Event) -> None:
    """Into the job's own log."""
    print(event.kind, event.unit.key, event.unit.title, event.reason or "", flush=True)
