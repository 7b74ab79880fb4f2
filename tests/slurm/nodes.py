"""A node of the tests' Slurm, lost and found."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from .conftest import wait_for


def _processes() -> list[tuple[int, str, bytes]]:
    """(pid, command line, environment) of what can be looked at."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found.append((int(entry.name), line, (entry / "environ").read_bytes()))
        except OSError:
            continue
    return found


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def lose(home: Path, node: str) -> None:
    """As if its power was cut: the daemon, the steps that it looks after, and all that they run."""
    _kill(int((home / f"slurmd-{node}.pid").read_text()))
    asked = subprocess.run(
        ["squeue", "-h", "-w", node, "-o", "%A"], capture_output=True, text=True, check=True
    )
    steps = tuple(f"slurmstepd: [{job}." for job in asked.stdout.split())
    for pid, line, environment in _processes():
        there = f"SLURMD_NODENAME={node}".encode() in environment.split(b"\0")
        if there or line.startswith(steps):
            _kill(pid)


def bring_back(node: str) -> None:
    subprocess.run(["slurmd", "-N", node], check=True)
    wait_for(lambda: node in idle(), reason=f"{node} did not come back")


def idle() -> str:
    done = subprocess.run(
        ["sinfo", "-h", "-N", "-t", "idle,mix", "-o", "%N"], capture_output=True, text=True
    )
    return done.stdout
