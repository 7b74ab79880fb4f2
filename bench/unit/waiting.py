"""How long a thread stood ready to run while other work had its core.

Wall seconds are the budget, so on a busy machine a budget buys less. This says how much less.
"""

from __future__ import annotations

from math import nan
from pathlib import Path

SCHEDSTAT = Path("/proc/thread-self/schedstat")
"""Linux's own account of this thread in nanoseconds: on a core, waiting for one; and its turns."""


def thread_waited(account: Path | None = None) -> float:
    """Seconds so far, of the thread that asks, or of the one whose account is named. NaN where the
    system keeps none."""
    try:
        text = (account or SCHEDSTAT).read_text(encoding="ascii")
        return int(text.split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return nan


def schedstat_of(pid: int) -> Path:
    """The account of a process' first thread, in which a method's generator runs."""
    return Path(f"/proc/{pid}/task/{pid}/schedstat")
