"""What comes back from adapt, and from state_dict, and is something else."""

from __future__ import annotations

from bench.contract import Progress

from .method import Plain


class ReturnsNone(Plain):
    def adapt(self, task, clock):
        return None


class ReturnsList(Plain):
    def adapt(self, task, clock):
        return iter([Progress(steps=1)])


class YieldsText(Plain):
    def adapt(self, task, clock):
        yield "one step"


class Negative(Plain):
    def adapt(self, task, clock):
        yield Progress(steps=-1)


class Huge(Plain):
    def adapt(self, task, clock):
        yield Progress(steps=1, samples=10**30, loss=float("inf"))


class ObjectState(Plain):
    def state_dict(self):
        return {"whole": self}
