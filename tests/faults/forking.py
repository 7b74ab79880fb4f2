"""`subprocess.Popen` of our own modules by a fork instead of a new interpreter: the same code runs,
in milliseconds, because everything is imported already."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

MOST_FILES = 4096
RESET = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)


class Forked:
    """`python -m MODULE ARGUMENTS`: as much of Popen as the harness uses."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: int | None = None,
        stdout: Any = None,
        stderr: int | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        text: bool = False,
        start_new_session: bool = False,
    ) -> None:
        python, flag, module, *arguments = command
        assert (python, flag) == (sys.executable, "-m")
        reads, writes = os.pipe(), os.pipe()
        begun = os.pipe()
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            if start_new_session:
                os.setsid()
            os.dup2(reads[0], 0)
            if stdout is not None:
                os.dup2(writes[1] if stdout == subprocess.PIPE else stdout.fileno(), 1)
            if stderr == subprocess.STDOUT:
                os.dup2(1, 2)
            os.write(begun[1], b".")
            _become(module, arguments, env, cwd)
        os.read(begun[0], 1)  # from here on it has its own group, as after a real Popen
        for descriptor in (*begun, reads[0], writes[1]):
            os.close(descriptor)
        if stdout != subprocess.PIPE:
            os.close(writes[0])
        assert stdin == subprocess.PIPE
        self.stdin = os.fdopen(reads[1], "w" if text else "wb")
        self.stdout = os.fdopen(writes[0]) if stdout == subprocess.PIPE else None

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float = 3600) -> int:
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("forked", timeout)
            time.sleep(0.002)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _become(
    module: str, arguments: Sequence[str], env: Mapping[str, str] | None, cwd: Path | None
) -> NoReturn:
    code = 1
    try:
        # What `exec` would have closed: other units' pipes, and the locks of the sweep.
        os.closerange(3, MOST_FILES)
        for number in RESET:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if cwd is not None:
            os.chdir(cwd)
        if env is not None:
            os.environ.clear()
            os.environ.update(env)
        fresh_streams()
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def fresh_streams() -> None:
    """Python's own streams on the descriptors 0, 1 and 2 as they are now, unbuffered like a unit's;
    and the folder of temporary files that the environment names."""
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", buffering=1, closefd=False, errors="backslashreplace")  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False, errors="backslashreplace")  # noqa: SIM115
    tempfile.tempdir = None


def install() -> None:
    """Units and scorers of this process and of all that it forks."""
    import bench.executors.process
    import bench.unit.scoring

    words = {name: getattr(subprocess, name) for name in ("PIPE", "STDOUT", "TimeoutExpired")}
    forking = SimpleNamespace(Popen=Forked, **words)
    bench.executors.process.subprocess = forking  # type: ignore[assignment]
    bench.unit.scoring.subprocess = forking  # type: ignore[assignment]
