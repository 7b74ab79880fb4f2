"""A unit's own process: `python -m bench.unit`, with a group and a temporary folder of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bench.errors import RequestError
from bench.record.whole import WriteError
from bench.registry import ROOT
from bench.unit.spec import FOLDER, Unit
from bench.unit.stop import ASK

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
POLL = 0.05
LONGEST_LOG = 256 * 2**20
"""Bytes that a unit may print."""
KEPT_OF_LOG = 2**20


@dataclass
class UnitProcess:
    unit: Unit
    process: subprocess.Popen[bytes]
    folder: Path
    log: Path

    def code(self) -> int | None:
        """None while it runs."""
        return self.process.poll()

    def talks_without_end(self) -> bool:
        """It has printed more than anybody reads, and would fill the disk for all."""
        try:
            return self.log.stat().st_size > LONGEST_LOG
        except FileNotFoundError:
            return False

    def cut_log(self) -> None:
        """To its beginning. For a process that has ended."""
        os.truncate(self.log, KEPT_OF_LOG)

    def ask(self) -> None:
        """To stop at its next yield, and to leave what it needs to go on."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(ASK)

    def end(self) -> int:
        """The process, all of its group, and what they wrote into their temporary folder. Its exit
        code."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        code = self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return code


def start(
    unit: Unit, *, threads: int, gpu: str | None = None, log: Path | None = None
) -> UnitProcess:
    """`gpu`: the only one that it may see. `log`: where its output goes, the unit's own without."""
    changes = {"threads": threads, **({} if gpu is None else {"device": "cuda"})}
    unit = unit.model_copy(update=changes)
    environment = {**os.environ, **{name: str(threads) for name in THREAD_VARIABLES}}
    environment["PYTHONPATH"] = os.pathsep.join(
        part for part in (str(ROOT), os.environ.get("PYTHONPATH")) if part
    )
    environment["PYTHONUNBUFFERED"] = "1"  # the log of a killed unit has its last lines
    if gpu is not None:
        environment["CUDA_VISIBLE_DEVICES"] = gpu
    elif unit.device == "cpu":  # packages take memory on any GPU that they see
        environment["CUDA_VISIBLE_DEVICES"] = ""
    log = log or log_of(unit)
    goes_on = (Path(unit.results) / ".units" / unit.key).is_dir()
    with _opened(log, new=not goes_on) as output:
        folder = _temporary_folder()
        environment["TMPDIR"] = str(folder)
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
    return UnitProcess(unit, process, folder, log)


def log_of(unit: Unit) -> Path:
    return Path(unit.results) / "logs" / f"{unit.key}.log"


def _opened(log: Path, *, new: bool) -> BinaryIO:
    """To append to, whoever cuts it meanwhile."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        if new:
            log.unlink(missing_ok=True)
        return log.open("ab")
    except OSError as error:
        raise WriteError(log, error.strerror or error) from error


def _temporary_folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=FOLDER))
    except OSError as error:
        reason = error.strerror or error
        raise RequestError(
            f"no temporary folder for a unit: {reason}; make room for it, or set TMPDIR"
        ) from error


def ask_all(processes: Iterable[UnitProcess], *, seconds: float) -> None:
    """Ask each to stop, and give them this long together."""
    asked = list(processes)
    for process in asked:
        process.ask()
    end = time.monotonic() + seconds
    while any(process.code() is None for process in asked) and time.monotonic() < end:
        time.sleep(POLL)
