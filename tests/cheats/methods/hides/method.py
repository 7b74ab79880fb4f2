"""What all of these do: work that takes CPU time, measured by what no method can change."""

from __future__ import annotations

import time

import numpy as np

from bench.contract import Progress

_measured, _CLOCK = time.clock_gettime, time.CLOCK_THREAD_CPUTIME_ID


def work(seconds: float) -> None:
    """Of this thread's CPU."""
    end = _measured(_CLOCK) + seconds
    while _measured(_CLOCK) < end:
        sum(range(1000))


class Worker:
    """A step takes a quarter of its seconds. Without work a prediction would be as good: what
    counts here is who was charged for the seconds."""

    def __init__(self, options, setting):
        self.seconds = float(options.seconds)
        self.done = np.zeros(1)

    def adapt(self, task, clock):
        for _ in range(4):
            work(self.seconds / 4)
            self.done = self.done + 1
            yield Progress(steps=1, samples=1, loss=1.0)

    def predict(self, volume):
        return (volume.image > np.median(volume.image)).astype(np.uint8)

    def state_dict(self):
        return {"done": self.done}

    def load_state_dict(self, state):
        self.done = np.asarray(state["done"])
