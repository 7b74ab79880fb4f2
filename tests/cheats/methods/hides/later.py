"""Work in what is asked for after the steps, or beside them: predictions, states, counts."""

from __future__ import annotations

from bench.contract import Progress

from .method import Worker, work


class InPredict(Worker):
    def adapt(self, task, clock):
        yield Progress(steps=1)

    def predict(self, volume):
        work(self.seconds / 4)
        self.done = self.done + 1
        return super().predict(volume)


class InProbe(Worker):
    """While it adapts, the predictions are those for the probe."""

    adapting = False

    def adapt(self, task, clock):
        self.adapting = True
        for _ in range(12):
            yield Progress(steps=1)
        self.adapting = False

    def predict(self, volume):
        if self.adapting:
            work(self.seconds / 2)
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
