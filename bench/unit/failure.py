"""Why a unit failed, in one line that a table can show."""

from __future__ import annotations

import signal

ALLOCATORS = ("DefaultCPUAllocator", "can't allocate memory", "Cannot allocate memory")


def reason_of(error: BaseException) -> str:
    """The reason for an exception that a method let out."""
    name = type(error).__name__
    line = " ".join(str(error).split())[:300]
    if name == "OutOfMemoryError" or "CUDA out of memory" in line:
        return f"out of device memory: {line}"
    if isinstance(error, MemoryError) or any(mark in line for mark in ALLOCATORS):
        return f"out of host memory: {line or 'MemoryError'}"
    if isinstance(error, SystemExit):
        return f"the method called sys.exit({error.code!r})"
    if isinstance(error, KeyboardInterrupt):
        return "the method raised KeyboardInterrupt"
    return f"{name}: {line}" if line else name


def reason_of_exit(code: int) -> str:
    """The reason for a process that ended without a record."""
    if code >= 0:
        return f"its process ended with code {code} and left no record"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = "; often the machine ran out of memory" if name == "SIGKILL" else ""
    return f"its process was ended by {name}{hint}"
