"""CPU time of all processes of a method while the budget's clock stands: predictions for the probe,
the test set, states. What must not be used there is work that belongs into `adapt`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.errors import MethodError
from bench.unit.account import SECONDS, SHARE
from bench.unit.worker import Worker

ROOM = 3.0
"""Times that a prediction for the probe may take longer than one of the test set."""
COLD = 4.0
"""Seconds beside that: the first prediction of a process imports and compiles."""


@dataclass
class Spent:
    cpu: float = 0.0
    voxels: int = 0
    calls: int = 0


@dataclass
class Aside:
    """stated  states before the test set, restated  the one after it"""

    worker: Worker
    probed: Spent = field(default_factory=Spent)
    tested: Spent = field(default_factory=Spent)
    stated: Spent = field(default_factory=Spent)
    restated: Spent = field(default_factory=Spent)

    @contextmanager
    def counted(self, into: Spent, voxels: int = 0) -> Iterator[None]:
        before = self.worker.cpu_seconds()
        yield
        into.cpu += self.worker.cpu_seconds() - before
        into.voxels += voxels
        into.calls += 1

    def state(self, into: Spent) -> str:
        """The hash of the method's state."""
        with self.counted(into):
            return str(self.worker.call("state_hash")["sha256"])

    def check(self, seconds: float) -> None:
        """seconds: of the adaptation. Raises MethodError where more was done than asked for, in
        the method's answers or beside them."""
        if self.worker.inline:
            return
        spare = SHARE * seconds
        same = max(0.0, self.tested.cpu) * self.probed.voxels / max(1, self.tested.voxels)
        if self.probed.cpu > ROOM * same + COLD + spare:
            raise MethodError(
                f"predicting for the probe took {self.probed.cpu:.1f} s of CPU, as many voxels of "
                f"the test set {same:.1f} s: nothing may learn while the method predicts"
            )
        first, again = self.stated, self.restated
        if first.cpu > ROOM * first.calls * again.cpu + SECONDS + spare:
            raise MethodError(
                f"state_dict took {first.cpu:.1f} s of CPU, and {again.cpu:.1f} s when it was "
                "asked again: work belongs into adapt"
            )
