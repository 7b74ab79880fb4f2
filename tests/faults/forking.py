"""`subprocess.Popen` of our own modules by a fork instead of a new interpreter: the same code runs,
in milliseconds, because everything is imported already. A worker is confined as ever."""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from bench.worker.launch import Policy, confine, end_with_parent

MOST_FILES = 4096
RESET = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)


class Forked:
    """`python -m MODULE ARGUMENTS`, and the same behind `launch.py`, which confines it first: as
    much of Popen as the harness uses."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: int | None = None,
        stdout: Any = None,
        stderr: int | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        start_new_session: bool = False,
        pass_fds: Sequence[int] = (),
    ) -> None:
        policy = None
        if command[1:3] == [*["-I", "-S"]]:
            policy, command = json.loads(command[4]), command[5:]
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
                os.dup2(stdout.fileno(), 1)
            if stderr == subprocess.STDOUT:
                os.dup2(1, 2)
            os.write(begun[1], b".")
            _become(module, arguments, env, cwd, pass_fds, policy)
        os.read(begun[0], 1)  # from here on it has its own group, as after a real Popen
        for descriptor in (*begun, reads[0], writes[1]):
            os.close(descriptor)
        os.close(writes[0])
        if stdin != subprocess.PIPE:
            os.close(reads[1])
        self.stdin = os.fdopen(reads[1], "wb") if stdin == subprocess.PIPE else None

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
    module: str,
    arguments: Sequence[str],
    env: Mapping[str, str] | None,
    cwd: Path | None,
    kept: Sequence[int],
    policy: Policy | None,
) -> NoReturn:
    code = 1
    try:
        # What `exec` would have closed: other units' pipes, and the locks of the sweep.
        for start, end in pairwise([2, *sorted(kept), MOST_FILES]):
            os.closerange(start + 1, end)
        for number in RESET:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if cwd is not None:
            os.chdir(cwd)
        if env is not None:
            os.environ.clear()
            os.environ.update(env)
        if policy is not None:
            end_with_parent(policy["parent"])
            confine(policy)
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
    """Units and workers of this process and of all that it forks."""
    import bench.executors.process
    import bench.unit.worker

    names = ("PIPE", "STDOUT", "DEVNULL", "TimeoutExpired")
    words = {name: getattr(subprocess, name) for name in names}
    forking = SimpleNamespace(Popen=Forked, **words)
    bench.executors.process.subprocess = forking  # type: ignore[assignment]
    bench.unit.worker.subprocess = forking  # type: ignore[assignment]
    # The launcher imports its neighbours by their bare names: it is a program of its own.
    for name in ("landlock", "namespaces"):
        sys.modules[name] = importlib.import_module(f"bench.worker.{name}")
