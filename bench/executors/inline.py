"""Units one after the other in this process: for debugging, and for machines without processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bench.executors.claim import Claims
from bench.executors.events import Event
from bench.record.store import write_record
from bench.unit.spec import Unit
from bench.unit.stop import Stopped
from bench.unit.trail import Trail, path_of

WAIT = 0.5
"""Seconds between two looks at a unit that another sweep is running."""


class Inline:
    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options

    def run(self, units: Sequence[Unit], report: Callable[[Event], None]) -> None:
        from bench.unit.__main__ import attempt
        from bench.unit.life import inline

        claims = Claims(tuple(units))
        waiting = list(units)
        while waiting:
            still: list[Unit] = []
            for unit in waiting:
                lock = claims.claim(unit)
                if lock is None:
                    still.append(unit)
                    continue
                with lock:
                    if claims.result(unit) is not None:
                        report(Event("elsewhere", unit))
                        continue
                    report(Event("started", unit))
                    try:
                        with _as_before():
                            record = attempt(unit, workers=inline, catch=(Exception, SystemExit))
                    except Stopped as stopped:
                        report(Event("stopped", unit, str(stopped)))
                        continue
                    write_record(path_of(unit), record)
                    Trail(unit).clear()
                    done = record.status == "done"
                    report(Event("done" if done else "failed", unit, record.reason))
            if len(still) == len(waiting):
                time.sleep(WAIT)
            waiting = still


@contextmanager
def _as_before() -> Iterator[None]:
    """The next unit starts in the folder and the environment that this one was given."""
    folder, environment = os.getcwd(), dict(os.environ)
    try:
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
