"""A unit that is asked to stop: by Ctrl-C of its sweep, or by a cluster that takes its node away.

It stops at the next yield of its method, and leaves behind what it needs to go on.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

ASK = signal.SIGUSR2
"""What an executor sends. Slurm's own SIGTERM, before it kills, is understood as well."""
STOPPED = 75
"""Exit code of a unit that stopped because it was asked: no record, and nothing went wrong."""
CHANGED = 76
"""Exit code of a unit that did not begin, since what it was planned on is no longer there."""
REASONS = {
    STOPPED: "it was asked to stop",
    CHANGED: "its data or its method's code were changed meanwhile; type the command again",
}

_asked = threading.Event()
_looks: Iterator[int] | None = None
"""Counts down to the look that finds that it was asked, where somebody tries that out."""


class Stopped(Exception):  # noqa: N818
    """The unit ends here without a record. `saved`: the next start goes on from its state."""

    code = STOPPED

    def __init__(self, *, saved: bool) -> None:
        super().__init__("stopped; its state is saved" if saved else "stopped")
        self.saved = saved


class Changed(Stopped):
    """The unit's key would be untrue of what is there now. A new plan gives it another one."""

    code = CHANGED

    def __init__(self, what: str) -> None:
        super().__init__(saved=False)
        self.args = (f"{what}; type the command again",)


def signalled() -> bool:
    """As `asked`, for who waits for something that can't be saved anyway."""
    return _asked.is_set()


def asked() -> bool:
    return _asked.is_set() if _looks is None else next(_looks) <= 0


@contextmanager
def asked_at(look: int) -> Iterator[None]:
    """No signal: who looks for the n-th time finds that it was asked, and so do all after."""
    global _looks
    _looks = count(look - 1, -1)
    try:
        yield
    finally:
        _looks = None


def _ask(number: int, frame: Any) -> None:
    _asked.set()


def listen() -> None:
    """From now on the signals ask. Children that a method forks are ended by them, as ever."""
    for number in (ASK, signal.SIGTERM):
        signal.signal(number, _ask)
    os.register_at_fork(after_in_child=_forget)


def _forget() -> None:
    for number in (ASK, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
