"""A process and all that it started, looked at from outside: its CPU time, memory and number."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import sys
import time

import psutil

_SET_DUMPABLE, _SET_CHILD_SUBREAPER = 4, 36
_CPUCLOCK_SCHED = 2


_guarded = False


def guard() -> None:
    """For a process that holds labels: processes that its children leave behind become its own,
    so that none escapes; and no process of the same user reads its memory."""
    global _guarded
    if sys.platform == "linux":
        _guarded = True
        libc = ctypes.CDLL(None)
        libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)


def cpu_seconds(pid: int) -> float:
    """CPU time of one process with all its threads; 0 where it is gone."""
    try:
        return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)
    except OSError:
        return 0.0


def tree_cpu_seconds(pid: int) -> float:
    """CPU time of a process and all that it started: what it has waited for is included, and in a
    process that guards, what left its parents."""
    total = 0.0
    for process in [*tree(pid)[:1], *left_behind(pid)]:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def tree_resident_bytes(pid: int) -> int:
    total = 0
    for process in tree(pid):
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total


def peak_resident_bytes(pid: int) -> int:
    """The largest that one process has been; 0 where the system does not say."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return 0


def tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def left_behind(pid: int) -> list[psutil.Process]:
    """What a process has started. In a process that guards, those as well that were left by their
    parents: they are its children now."""
    if _guarded:
        return [p for p in psutil.Process().children(recursive=True) if p.pid != pid]
    return tree(pid)[1:]


def kill_all(processes: list[psutil.Process]) -> None:
    """Halted first, so that none starts another meanwhile."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for process in processes:
            with contextlib.suppress(psutil.Error, OSError):
                process.send_signal(number)
