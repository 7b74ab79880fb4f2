"""How long a thread stood ready to run while other work had its core.

Wall seconds are the budget, so on a busy machine a budget buys less. This says how much less.
"""

from __future__ import annotations

from math import nan
from pathlib import Path

SCHEDSTAT = Path("/proc/thread-self/schedstat")
"""Linux's own account of this thread in nanoseconds: on a core, waiting for one; and its turns."""


def thread_waited() -> float:
    """Seconds so far, of the thread that asks. NaN where the system keeps no such account."""
    try:
        return int(SCHEDSTAT.read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return nan
