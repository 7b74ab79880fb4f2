"""The worker's account of a phase, held against what was measured from outside."""

from __future__ import annotations

from math import isfinite
from typing import Protocol

from bench.errors import MethodError
from bench.unit.clock import BudgetClock
from bench.unit.waiting import thread_waited
from bench.unit.worker import Worker

SHARE, SECONDS = 0.05, 0.5
"""Two accounts may differ by this share, and by these seconds."""


class Worked(Protocol):
    """waited_before  of this thread, when the phase began"""

    worked: float
    waited_before: float


def check_account(work: Worked, clock: BudgetClock, worker: Worker) -> None:
    """Raises MethodError where seconds were hidden: by a clock that was changed in the method's
    process, or by threads and child processes that work while the budget's clock stands."""
    seconds = clock.worked
    # On a busy machine both processes wait for a core between question and answer.
    here = thread_waited() - work.waited_before
    waited = sum(part for part in (clock.waited, here) if isfinite(part))
    # Written so that an account that is no number does not pass.
    if not abs(seconds - work.worked) <= SHARE * seconds + SECONDS + waited:
        raise MethodError(
            f"its process counted {work.worked:.1f} s of adaptation, the harness {seconds:.1f} s: "
            "a method must not change the clock"
        )
    if worker.background > SHARE * seconds + SECONDS:
        raise MethodError(
            f"its threads or child processes worked {worker.background:.1f} s while the budget's "
            "clock stood: a method works only between being asked and its answer"
        )
