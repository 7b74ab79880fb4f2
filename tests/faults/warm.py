"""A process that has imported everything, and forks a command line on request.

Lines of JSON in, lines out. `python -m bench ...` takes seconds to import what it needs; a fault
that is to fall on the work, at a random moment, would nearly always fall on that.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, Outcome

IMPORTED = (
    *("torch", "numpy", "hydra", "filelock", "SimpleITK", "psutil", "safetensors.torch"),
    *("bench.cli.run", "bench.request.compose", "bench.executors.local", "bench.executors.inline"),
    *(
        "bench.unit.life",
        "bench.worker.session",
        "bench.data.ready",
        "bench.check.lab",
        "bench.executors.slurm.batches",
    ),
    *("bench.score.case", "scipy.ndimage", "bench.board", "bench.board.figures", "bench.report"),
)


def serve() -> None:
    from tests.faults.forking import install

    for name in IMPORTED:
        importlib.import_module(name)
    install()
    print(json.dumps({"ready": os.getpid()}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        answer = _start(asked) if "words" in asked else _wait(asked["pid"], asked["seconds"])
        print(json.dumps(answer), flush=True)


def _wait(pid: int, seconds: float) -> dict[str, int | None]:
    end = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return {"code": os.waitstatus_to_exitcode(status)}
        if time.monotonic() >= end:
            return {"code": None}
        time.sleep(0.002)


def _start(asked: Mapping[str, Any]) -> dict[str, int]:
    pid = os.fork()
    if pid:
        return {"pid": pid}
    code = 70
    try:
        from tests.faults.forking import MOST_FILES, fresh_streams

        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for place, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND), place)
        os.closerange(3, MOST_FILES)
        os.environ.update(asked["environment"])
        fresh_streams()
        for place, value in asked["patches"].items():
            module, _, name = place.partition(":")
            setattr(importlib.import_module(module), name, value)
        for place in asked["before"]:
            module, _, name = place.partition(":")
            getattr(importlib.import_module(module), name)()
        from bench.cli import entry

        code = entry(asked["words"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@dataclass
class Running:
    """A command that was started; its group is its own."""

    warm: Warm
    pid: int
    out: Path
    err: Path

    def wait(self, seconds: float = 120) -> int | None:
        """Its exit code; None while it runs."""
        code: int | None = self.warm.ask({"pid": self.pid, "seconds": seconds})["code"]
        return code

    def outcome(self, seconds: float = 120) -> Outcome:
        code = self.wait(seconds)
        if code is None:
            os.killpg(self.pid, signal.SIGKILL)
        assert code is not None, f"it never ended: {self.out.read_text()} {self.err.read_text()}"
        return Outcome(code, self.out.read_text(), self.err.read_text())


class Warm:
    """The client: commands in `folder`, which gets what they print."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from tests.faults.warm import serve; serve()"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer()["ready"] == self._process.pid

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def start(
        self,
        *words: str,
        environment: Mapping[str, str] | None = None,
        patches: Mapping[str, Any] | None = None,
        before: tuple[str, ...] = (),
    ) -> Running:
        """patches: "module:name" -> value; before: "module:function", called in the new process."""
        self._count += 1
        out, err = (self.folder / f"{self._count}.{name}" for name in ("out", "err"))
        request = {
            "words": words,
            "out": str(out),
            "err": str(err),
            "environment": dict(environment or {}),
            "patches": dict(patches or {}),
            "before": before,
        }
        return Running(self, self.ask(request)["pid"], out, err)

    def __call__(self, *words: str, seconds: float = 120, **more: Any) -> Outcome:
        """The command from its start to its end. No traceback ever reaches a user."""
        done = self.start(*words, **more).outcome(seconds)
        assert "Traceback" not in done.out + done.err, done.out + done.err
        return done

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)  # a busy machine takes its time
