"""Work outside the pulls of the generator: when it is made, and when it is closed."""

from __future__ import annotations

from bench.contract import Progress

from .method import Worker, work


class EagerIterator(Worker):
    def adapt(self, task, clock):
        work(self.seconds)
        return iter([Progress(steps=1), Progress(steps=1)])


class EagerGenerator(Worker):
    def adapt(self, task, clock):
        work(self.seconds)
        return (Progress(steps=1) for _ in range(2))


class WhenClosed(Worker):
    """Its budget of steps ends before it does."""

    def adapt(self, task, clock):
        try:
            while True:
                yield Progress(steps=1)
        finally:
            work(self.seconds)
