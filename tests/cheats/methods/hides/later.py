"""Work in what is asked for after the steps, or beside them: predictions, states, counts."""

from __future__ import annotations

import gc

from bench.contract import Progress, Volume

from .method import Worker, work


class InPredict(Worker):
    def adapt(self, task, clock):
        yield Progress(steps=1)

    def predict(self, volume):
        self.done = self.done + 1
        return super().predict(volume)


class InInit(Worker):
    """Where nothing is given to it yet, it works in its steps."""

    def __init__(self, options, setting):
        super().__init__(options, setting)
        if any(isinstance(held, Volume) for held in gc.get_objects()):
            work(self.seconds)
            self.seconds = 0.0


class InProbe(Worker):
    """While it adapts, the predictions are those for the probe; here it works in the first."""

    adapting = False

    def adapt(self, task, clock):
        self.adapting = True
        try:
            while True:
                yield Progress(steps=1)
        finally:
            self.adapting = False

    def predict(self, volume):
        if self.adapting:
            work(self.seconds)
            self.adapting = False
        return super().predict(volume)


class InState(Worker):
    worked = False

    def adapt(self, task, clock):
        yield Progress(steps=1)

    def state_dict(self):
        if not self.worked:
            self.worked = True
            work(self.seconds)
        return super().state_dict()


class NoSteps(Worker):
    """Ends by itself, long after a budget of 12 steps."""

    def adapt(self, task, clock):
        for _ in range(100):
            work(self.seconds / 100)
            yield Progress(steps=0)
