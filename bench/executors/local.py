"""One subprocess a unit on this machine, N at once: a unit that dies takes nothing with it, and its
temporary files end with it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from filelock import FileLock

from bench.device import usable_cores
from bench.executors.claim import Claims, fail
from bench.executors.events import Event
from bench.executors.gpus import gpus_of, share_of
from bench.executors.options import above_zero, switch
from bench.executors.process import LONGEST_LOG, POLL, UnitProcess, ask_all, start
from bench.unit.failure import reason_of_exit
from bench.unit.spec import Unit
from bench.unit.stop import REASONS

GRACE = 5.0
"""Seconds that units have, at Ctrl-C, to leave what they need to go on."""


@dataclass
class _Job:
    process: UnitProcess
    lock: FileLock
    slot: int
    deadline: float
    limit: float

    @property
    def unit(self) -> Unit:
        return self.process.unit


class Local:
    """options: jobs, how many at once; threads, how many each; timeout, seconds for one unit. Each
    may be "auto". share_gpu: several units may run on one GPU."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.jobs = above_zero(options, "jobs", whole=True)
        self.threads = above_zero(options, "threads", whole=True)
        self.timeout = above_zero(options, "timeout")
        self.share_gpu = switch({"share_gpu": False, **options}, "share_gpu")
        self.stopping = False
        self._running: list[_Job] = []

    def run(
        self,
        units: Sequence[Unit],
        report: Callable[[Event], None],
        claims: Claims | None = None,
    ) -> None:
        """`claims`: what was there when the sweep began, where that is not now."""
        claims = claims or Claims(tuple(units))
        gpus = gpus_of(units)
        slots = int(self.jobs or max(1, len(gpus)))
        free = list(range(min(slots, len(units))))
        shared = share_of(units, jobs=len(free), gpus=gpus, allowed=self.share_gpu)
        if shared > 1:
            units = [unit.model_copy(update={"jobs_per_gpu": shared}) for unit in units]
        waiting = list(units)
        running = self._running
        try:
            while (waiting and not self.stopping) or running:
                for unit in list(waiting):
                    if not free or self.stopping:
                        break
                    lock = claims.claim(unit)
                    if lock is None:
                        continue  # another sweep runs it; look again later
                    waiting.remove(unit)
                    if claims.result(unit) is not None:
                        lock.release()
                        report(Event("elsewhere", unit))
                        continue
                    running.append(self._start(unit, lock, free.pop(0), slots, gpus))
                    report(Event("started", unit))
                time.sleep(POLL)
                for job in list(running):
                    event = _outcome(job, claims)
                    if event is not None:
                        running.remove(job)
                        free.append(job.slot)
                        job.lock.release()
                        report(event)
        except KeyboardInterrupt:
            self.stop(GRACE)
            raise
        finally:  # nothing of an unfinished unit stays behind but what it goes on from
            for job in running:
                job.process.end()
                job.lock.release()
            running.clear()

    def stop(self, seconds: float) -> None:
        """No unit is started any more; those that run are asked to stop, and have this long."""
        self.stopping = True
        ask_all([job.process for job in self._running], seconds=seconds)

    def running(self) -> list[UnitProcess]:
        return [job.process for job in self._running]

    def _start(
        self, unit: Unit, lock: FileLock, slot: int, slots: int, gpus: Sequence[str]
    ) -> _Job:
        threads = int(self.threads or default_threads(slots))
        gpu = gpus[slot % len(gpus)] if gpus else None
        process = start(unit, threads=threads, gpu=gpu)
        seconds = unit.request.budget.seconds
        limit = self.timeout or (float("inf") if seconds is None else 3 * seconds + 900)
        return _Job(process, lock, slot, time.monotonic() + limit, limit)


def _outcome(job: _Job, claims: Claims) -> Event | None:
    """None while it runs. A process that left no record gets one that says why."""
    problem = None
    if job.process.code() is None:
        problem = _overrun(job)
        if problem is None:
            return None
    code = job.process.end()  # and whatever it started and left behind
    if problem is not None and job.process.talks_without_end():
        job.process.cut_log()
    if code in REASONS:
        return Event("stopped", job.unit, REASONS[code])
    # One that was ended may have come to its record just before.
    return claims.ended(job.unit) or fail(job.unit, problem or reason_of_exit(code))


def _overrun(job: _Job) -> str | None:
    """Why it must be ended."""
    if job.process.talks_without_end():
        return f"it printed more than {LONGEST_LOG // 2**20} MiB into its log"
    if time.monotonic() >= job.deadline:
        return f"timed out after {job.limit:.0f} s (executor.timeout)"
    return None


def default_threads(jobs: int) -> int:
    """What the user's environment says, as for any program of theirs; or an equal part of the cores
    that this process may use."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdecimal() and int(said) > 0:
        return int(said)
    return max(1, usable_cores() // jobs)
