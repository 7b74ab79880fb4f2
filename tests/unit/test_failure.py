"""Reasons that a table can show where a process ended without a record."""

from __future__ import annotations

import signal
import subprocess
import sys

from bench.unit.failure import reason_of_exit


def test_exit_codes() -> None:
    assert reason_of_exit(0) == "its process ended with code 0 and left no record"
    assert reason_of_exit(3) == "its process ended with code 3 and left no record"
    assert reason_of_exit(-signal.SIGSEGV) == "its process was ended by SIGSEGV"
    assert reason_of_exit(-signal.SIGKILL) == (
        "its process was ended by SIGKILL; often the machine ran out of memory"
    )
    assert reason_of_exit(-200) == "its process was ended by signal 200"


def test_a_process_that_was_really_killed() -> None:
    script = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    code = subprocess.run([sys.executable, "-c", script], check=False).returncode
    assert "SIGKILL" in reason_of_exit(code)
