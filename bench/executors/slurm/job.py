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
from bench.unit.stop import STOPPED
from bench.unit.trail import Trail

TRIES = 3
"""Starts of what cannot go on where it was stopped, each ended by the job's time limit."""
SLACK = 90.0
"""Slurm's warning may come a minute early, and it looks at its clock twice a minute."""
TERMINATED = 25.0
"""Seconds to save after SIGTERM; Slurm kills half a minute later, if it was not told otherwise."""


@dataclass
class SlurmJob:
    """file     its units, as `submit` wrote them
    minutes  its limit; grace: seconds before it at which Slurm warns
    stops    keys of the units that this limit has stopped, each as often as it did
    """

    file: str
    minutes: int
    grace: int
    stops: tuple[str, ...] = ()
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
        """submitit calls it on SIGUSR2: what it gives back is put into the queue again; with None
        the job ends."""
        from submitit.helpers import DelayedSubmission

        self._stop(max(5.0, self.grace - SLACK / 2))
        stops = self.stops
        if time.monotonic() - self.began >= 60 * self.minutes - self.grace - SLACK:
            stopped = self._stopped()
            stops += tuple(process.unit.key for process in stopped)
            for process in stopped:
                unit = process.unit
                if stops.count(unit.key) < TRIES or _goes_on(unit):
                    continue
                if unit.stage == "pretrain":
                    print(f"pre-training {unit.title}: {self._too_often()}", flush=True)
                    return None
                process.end()
                _say(fail(unit, self._too_often()))
        return DelayedSubmission(SlurmJob(self.file, self.minutes, self.grace, stops))

    def _stop(self, seconds: float) -> None:
        self._local.stop(seconds)
        if self._alone is not None:
            ask_all([self._alone], seconds=seconds)

    def _stopped(self) -> list[UnitProcess]:
        """Those that came to no end, whether they stopped as they were asked or did not."""
        asked = [*self._local.running(), *([self._alone] if self._alone is not None else [])]
        return [process for process in asked if process.code() in (None, STOPPED)]

    def _terminate(self, number: int, frame: Any) -> None:
        self._ended = True
        self._stop(TERMINATED)

    def _too_often(self) -> str:
        """Of what began anew each time, and never came to its end."""
        return (
            f"stopped {TRIES} times by its job's limit of {self.minutes} min, and its method can't "
            "go on where it was stopped: give it more executor.time"
        )

    def _pretrain(self, units: list[Unit], *, threads: int) -> None:
        """Leaves no record; whoever needs it and does not find it meets the same error."""
        for unit in units:
            assert unit.pretrain is not None
            if self._local.stopping:
                return
            log = Path(unit.results) / "logs" / f"{unit.pretrain.key}.log"
            self._alone = start(unit, threads=threads, log=log)
            try:
                while self._alone.code() is None:
                    time.sleep(0.2)
            finally:
                self._alone.end()


def _goes_on(unit: Unit) -> bool:
    """It has saved a state: its next start is not the first one over again."""
    if unit.stage == "pretrain" and unit.pretrain is not None:
        saved = f"{unit.pretrain.key}.saved.safetensors"
        return (Path(unit.results) / "pretrained" / saved).is_file()
    return Trail(unit).saved


def _say(event: Event) -> None:
    """Into the job's own log."""
    print(event.kind, event.unit.key, event.unit.title, event.reason or "", flush=True)
