"""Why a unit left no record, in one line that a table can show."""

from __future__ import annotations

import signal


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
