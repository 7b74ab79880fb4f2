"""CPU time off the budget's clock: what an honest method may use, and what is work."""

from __future__ import annotations

from typing import Any

import pytest

from bench.errors import MethodError
from bench.unit.aside import COLD, Aside, Spent


class Busy:
    """A worker that uses CPU time as it is told."""

    inline = False

    def __init__(self) -> None:
        self.cpu = 0.0
        self.hashing = 0.0

    def cpu_seconds(self) -> float:
        return self.cpu

    def call(self, question: str, **facts: Any) -> dict[str, Any]:
        assert question == "state_hash"
        self.cpu += self.hashing
        return {"sha256": "abc"}


def aside_of(*, probe: float, test: float, times: int = 6) -> Aside:
    """Seconds a volume; the probe's are predicted `times`, the test set's four times."""
    aside = Aside(Busy())  # type: ignore[arg-type]
    for spent, seconds, count in ((aside.probed, probe, times), (aside.tested, test, 4)):
        for _ in range(count):
            use(aside, spent, seconds, voxels=100)
    return aside


def use(aside: Aside, spent: Spent, seconds: float, *, voxels: int) -> None:
    with aside.counted(spent, voxels):
        aside.worker.cpu += seconds  # type: ignore[attr-defined]


def test_predictions_cost_what_predictions_cost() -> None:
    aside_of(probe=2.0, test=2.0).check(10.0)
    aside_of(probe=2.9, test=1.0).check(1.0)


def test_the_first_one_imports_and_compiles() -> None:
    aside = aside_of(probe=0.1, test=0.1)
    use(aside, aside.probed, COLD, voxels=100)
    aside.check(0.0)


def test_larger_volumes_take_longer() -> None:
    aside = aside_of(probe=0.1, test=0.1)
    use(aside, aside.probed, 8.0, voxels=8000)
    aside.check(0.0)


def test_work_in_the_probe_is_found() -> None:
    line = (
        r"predicting for the probe took 30\.0 s of CPU, as many voxels of the test set 0\.6 s: noth"
    )
    with pytest.raises(MethodError, match=line):
        aside_of(probe=5.0, test=0.1).check(100.0)


def test_a_long_adaptation_excuses_a_twentieth_of_it() -> None:
    aside_of(probe=5.0, test=0.1).check(600.0)


def test_nothing_is_told_apart_in_one_process() -> None:
    aside = aside_of(probe=100.0, test=0.1)
    aside.worker.inline = True
    aside.check(0.0)


@pytest.mark.parametrize(("first", "again"), [(1.0, 1.0), (3.4, 1.0), (0.4, 0.0)])
def test_states_cost_what_states_cost(first: float, again: float) -> None:
    aside = stated(first, again)
    aside.check(0.0)


def test_work_in_state_dict_is_found() -> None:
    with pytest.raises(MethodError, match=r"state_dict took 4\.0 s of CPU, and 1\.0 s when it was"):
        stated(4.0, 1.0).check(0.0)


def stated(first: float, again: float) -> Aside:
    worker = Busy()
    aside = Aside(worker)  # type: ignore[arg-type]
    worker.hashing = first
    assert aside.state(aside.stated) == "abc"
    worker.hashing = again
    assert aside.state(aside.restated) == "abc"
    return aside


def test_an_embedding_that_is_computed_is_nobody_s_prediction() -> None:
    """What it took is taken off; measured apart, that may be a little more than all there was."""
    aside = aside_of(probe=1.0, test=1.0)
    aside.probed.cpu, aside.tested.cpu = -0.1, -0.3
    aside.check(0.0)
