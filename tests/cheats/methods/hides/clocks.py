"""Clocks of its own process that show what the method likes."""

from __future__ import annotations

import gc
import time

from bench.contract import Progress

from .method import Worker, work

NAMES = ("perf_counter", "monotonic", "time", "process_time", "thread_time")
HONEST = {name: getattr(time, name) for name in NAMES}


def change(rate: float) -> None:
    """From now on they run so fast: 0 is not at all."""
    for name, honest in HONEST.items():
        began = honest()

        def slow(honest=honest, began=began):
            return began + (honest() - began) * rate

        setattr(time, name, slow)
        setattr(time, f"{name}_ns", lambda slow=slow: int(slow() * 1e9))
    for clock in _clocks():
        if hasattr(clock, "now"):
            clock.now = time.perf_counter


class _Changed(Worker):
    rate = 1.0

    def adapt(self, task, clock):
        change(self.rate)
        yield from super().adapt(task, clock)


class Frozen(_Changed):
    rate = 0.0


class Slow(_Changed):
    rate = 0.1


class Counted(Worker):
    """Every clock of the harness that is among the objects of this process."""

    def adapt(self, task, clock):
        for _ in range(4):
            work(self.seconds / 4)
            self.done = self.done + 1
            for found in {id(held): held for held in (clock, *_clocks())}.values():
                for name in ("_worked", "worked", "steps", "waited"):
                    if hasattr(found, name):
                        setattr(found, name, 0)
                if hasattr(found, "now"):
                    found.now = lambda since=found._since: since
                if hasattr(found, "count"):
                    found.count = lambda progress: None
            yield Progress(steps=1)


def _clocks():
    return [held for held in gc.get_objects() if type(held).__name__.endswith("Clock")]
