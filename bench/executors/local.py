"""One subprocess a unit on this machine, N at once: a unit that dies takes nothing with it, and its
temporary files end with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from bench.device import usable_cores
from bench.errors import RequestError
from bench.executors.claim import Claims, fail
from bench.executors.events import Event
from bench.registry import ROOT
from bench.unit.failure import reason_of_exit
from bench.unit.spec import FOLDER, Unit

POLL = 0.05
"""Seconds between two looks at the running processes."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass
class _Job:
    unit: Unit
    process: subprocess.Popen[bytes]
    folder: Path
    lock: FileLock
    slot: int
    deadline: float
    limit: float


class Local:
    """options: jobs, how many at once; threads, how many each; timeout, seconds for one unit. Each
    may be "auto"."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.jobs = _positive(options.get("jobs", "auto"), "executor.jobs", whole=True)
        self.threads = _positive(options.get("threads", "auto"), "executor.threads", whole=True)
        self.timeout = _positive(options.get("timeout", "auto"), "executor.timeout", whole=False)

    def run(self, units: Sequence[Unit], report: Callable[[Event], None]) -> None:
        claims = Claims(tuple(units))
        gpus = _gpus(units)
        slots = int(self.jobs or max(1, gpus))
        free = list(range(slots))
        waiting = list(units)
        running: list[_Job] = []
        try:
            while waiting or running:
                for unit in list(waiting):
                    if not free:
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
        finally:  # an interrupt: nothing of an unfinished unit stays behind
            for job in running:
                _end(job)
                job.lock.release()

    def _start(self, unit: Unit, lock: FileLock, slot: int, slots: int, gpus: int) -> _Job:
        threads = int(self.threads or default_threads(slots))
        unit = unit.model_copy(update={"threads": threads})
        environment = {**os.environ, **{name: str(threads) for name in THREAD_VARIABLES}}
        environment["PYTHONPATH"] = os.pathsep.join(
            part for part in (str(ROOT), os.environ.get("PYTHONPATH")) if part
        )
        environment["PYTHONUNBUFFERED"] = "1"  # the log of a killed unit has its last lines
        folder = Path(tempfile.mkdtemp(prefix=FOLDER))
        environment["TMPDIR"] = str(folder)
        if gpus:
            environment["CUDA_VISIBLE_DEVICES"] = _visible_gpus()[slot % gpus]
        log = Path(unit.results) / "logs" / f"{unit.key}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "bench.unit"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died at once; its exit code says why
            process.stdin.write(unit.model_dump_json().encode() + b"\n")
            process.stdin.flush()  # and stays open: its end tells the unit that we are gone
        seconds = unit.request.budget.seconds
        limit = self.timeout or (float("inf") if seconds is None else 3 * seconds + 900)
        return _Job(unit, process, folder, lock, slot, time.monotonic() + limit, limit)


def _outcome(job: _Job, claims: Claims) -> Event | None:
    """None while it runs. A process that left no record gets one that says why."""
    code = job.process.poll()
    if code is None:
        if time.monotonic() < job.deadline:
            return None
        _end(job)
        return fail(job.unit, f"timed out after {job.limit:.0f} s (executor.timeout)")
    _end(job)  # whatever it started and left behind
    record = claims.result(job.unit)
    if record is None:
        return fail(job.unit, reason_of_exit(code))
    return Event("done" if record.status == "done" else "failed", job.unit, record.reason)


def _end(job: _Job) -> None:
    """The process, all of its group, and what they wrote into their temporary folder."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(job.process.pid, signal.SIGKILL)
    job.process.wait()
    if job.process.stdin is not None:
        job.process.stdin.close()
    shutil.rmtree(job.folder, ignore_errors=True)


def _visible_gpus() -> list[str]:
    import torch

    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given:
        return given.split(",")
    return [str(index) for index in range(torch.cuda.device_count())]


def _gpus(units: Sequence[Unit]) -> int:
    """How many GPUs these units can use."""
    if any(unit.device.startswith("cuda") for unit in units):
        return len(_visible_gpus())
    return 0


def default_threads(jobs: int) -> int:
    """What the user's environment says, as for any program of theirs; or an equal part of the cores
    that this process may use."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdecimal() and int(said) > 0:
        return int(said)
    return max(1, usable_cores() // jobs)


def _positive(value: Any, name: str, *, whole: bool) -> float | None:
    """None for "auto"."""
    if value in ("auto", None):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise RequestError(f"{name}={value}: a number above 0, or auto")
    if whole and value != int(value):
        raise RequestError(f"{name}={value}: a whole number, or auto")
    return float(value)
