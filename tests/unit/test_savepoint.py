"""A unit that is stopped and started again: the same numbers as one that nobody disturbed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.check.lab import Lab, steps_budget
from bench.record.schema import BudgetSpec, Record
from bench.record.store import write_record
from bench.unit import __main__ as unit_main
from bench.unit.life import inline
from bench.unit.saved import SavedPhase
from bench.unit.spec import Unit
from bench.unit.stop import Stopped, asked_at
from bench.unit.trail import Trail, path_of
from bench.worker.nested import write_nested

from .conftest import MakeLab

CASES = [f"case{number}" for number in range(5)]
Ask = Callable[[int], None]


@pytest.fixture
def ask() -> Iterator[Ask]:
    """ask(n): the n-th time that somebody looks, the unit has been asked to stop; -1 never."""
    with ExitStack() as stack:

        def at(count: int) -> None:
            stack.close()
            if count >= 0:
                stack.enter_context(asked_at(count))

        yield at


def attempt(unit: Unit) -> Record:
    """In this process: what is tested here is what lies between two starts."""
    return unit_main.attempt(unit, workers=inline)


def unit_of(lab: Lab, toys: Path, run: str, budget: BudgetSpec | None = None) -> Unit:
    unit = lab.unit(
        lab.store("all", lab.volumes),
        support=CASES[:2],
        probe=CASES[2:3],
        test=CASES[3:],
        budget=budget or steps_budget(40, probes=4),
        run=run,
    )
    return unit.model_copy(update={"include": (str(toys),)})


def finish(unit: Unit) -> Record:
    record = attempt(unit)
    write_record(path_of(unit), record)
    Trail(unit).clear()
    return record


def outcome(record: Record) -> dict[str, Any]:
    """All but times."""
    free: Any = {"seconds", "waited_seconds", "overshoot_seconds"}
    return {
        "adaptation": record.adaptation.model_dump(exclude=free),
        "curve": [point.model_dump(exclude=free) for point in record.curve],
        "cases": [case.model_dump(exclude=free) for case in record.cases],
    }


def predictions(unit: Unit) -> list[np.ndarray]:
    folder = Path(unit.results) / "predictions" / unit.key
    return [np.load(folder / f"{case}.npz")["label"] for case in unit.test]


@pytest.mark.parametrize("stops", [(1,), (17,), (10, 3, 12), (39,)])
def test_it_goes_on_as_if_nothing_had_been(
    make_lab: MakeLab, toys: Path, ask: Ask, stops: tuple[int, ...]
) -> None:
    lab = make_lab("resumes")
    whole, parted = unit_of(lab, toys, "whole"), unit_of(lab, toys, "parted")
    expected = finish(whole)
    for steps in stops:
        ask(steps)
        with pytest.raises(Stopped) as stopped:
            attempt(parted)
        assert stopped.value.saved
        assert not path_of(parted).exists()
    ask(-1)
    found = finish(parted)
    assert outcome(found) == outcome(expected)
    for mine, theirs in zip(predictions(parted), predictions(whole), strict=True):
        assert np.array_equal(mine, theirs)
    assert [part.resumed for part in found.interruptions] == [True] * len(stops)
    assert all(part.stopped for part in found.interruptions)
    assert expected.interruptions == []
    assert not Trail(parted).folder.exists(), "nothing stays behind"
    assert found.throughput is not None
    assert found.throughput.train_samples_per_second is not None
    assert found.throughput.train_samples_per_second.n == 36  # of 40 laps; a tenth warms up


def test_a_forgetful_method_is_caught(make_lab: MakeLab, toys: Path, ask: Ask) -> None:
    """The comparison above is one that a method can fail: this one leaves its optimiser behind."""
    lab = make_lab("resumes", keeps="network")
    expected = finish(unit_of(lab, toys, "whole"))
    parted = unit_of(lab, toys, "parted")
    ask(17)
    with pytest.raises(Stopped):
        attempt(parted)
    ask(-1)
    assert outcome(finish(parted)) != outcome(expected)


def test_what_cannot_go_on_begins_anew_and_says_so(make_lab: MakeLab, toys: Path, ask: Ask) -> None:
    lab = make_lab("resumes", keeps="nothing")
    expected = finish(unit_of(lab, toys, "whole"))
    parted = unit_of(lab, toys, "parted")
    ask(17)
    with pytest.raises(Stopped) as stopped:
        attempt(parted)
    assert not stopped.value.saved
    ask(-1)
    found = finish(parted)
    assert outcome(found) == outcome(expected)
    (part,) = found.interruptions
    assert not part.resumed
    assert part.stopped is not None


def test_the_budget_s_seconds_are_those_of_all_starts(
    make_lab: MakeLab, toys: Path, ask: Ask
) -> None:
    lab = make_lab("resumes", steps=10**6, sleep=0.02)
    unit = unit_of(lab, toys, "seconds", BudgetSpec(name="1 s", seconds=1.0, probes=0))
    for _ in range(3):
        ask(10)
        with pytest.raises(Stopped):
            attempt(unit)
    ask(-1)
    record = finish(unit)
    phase = record.adaptation
    assert phase.ended == "budget"
    assert 1.0 <= phase.seconds < 1.2
    assert 30 < phase.steps <= 50
    assert record.harness is not None
    assert record.harness.method_seconds >= 1.0


def test_between_two_predictions_any_method_can_stop(
    make_lab: MakeLab, toys: Path, ask: Ask
) -> None:
    lab = make_lab("resumes", keeps="nothing")
    whole, parted = unit_of(lab, toys, "whole"), unit_of(lab, toys, "parted")
    expected = finish(whole)
    ask(40)  # 39 steps that the budget goes on after, then the first prediction
    with pytest.raises(Stopped) as stopped:
        attempt(parted)
    assert stopped.value.saved
    ask(-1)
    found = finish(parted)
    assert outcome(found) == outcome(expected)
    assert found.interruptions[0].resumed


def test_killed_without_a_word(make_lab: MakeLab, toys: Path, ask: Ask) -> None:
    """Stopped, gone on, killed: the third start goes on from the first one's state."""
    lab = make_lab("resumes")
    expected = finish(unit_of(lab, toys, "whole"))
    unit = unit_of(lab, toys, "parted")
    ask(17)
    with pytest.raises(Stopped):
        attempt(unit)
    killed = Trail(unit)
    killed.begin()
    ask(-1)
    record = finish(unit)
    assert outcome(record) == outcome(expected)
    first, second = record.interruptions
    assert (first.resumed, second.resumed) == (True, False)
    assert second.stopped is None


OTHERS = {
    "another machine": {"machine": "of somebody else"},
    "another layout": {"layout": 1},
    "other packages": {"versions": {}},
}


@pytest.mark.parametrize("where", ["facts", "tensors"])
@pytest.mark.parametrize("how", [*OTHERS, "cut", "text"])
def test_a_state_that_does_not_hold_here_is_left_alone(
    make_lab: MakeLab,
    toys: Path,
    ask: Ask,
    how: str,
    where: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    lab = make_lab("resumes")
    expected = finish(unit_of(lab, toys, "whole"))
    unit = unit_of(lab, toys, "parted")
    ask(17)
    with pytest.raises(Stopped):
        attempt(unit)
    machine = Trail(unit).machine
    assert machine is not None
    saved = Trail(unit).state("adaptation", machine)
    if how in OTHERS:
        content = saved.read()
        assert content is not None
        copy = tmp_path / "parts"
        copy.write_bytes(saved.tensors.read_bytes())
        SavedPhase(saved.path, {**saved.place, **OTHERS[how]}).write(content, copy)
    else:
        file = saved.facts if where == "facts" else saved.tensors
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2] if how == "cut" else b"no state at all")
    capsys.readouterr()
    ask(-1)
    record = finish(unit)
    assert "the unit begins anew" in capsys.readouterr().out
    assert outcome(record) == outcome(expected)
    assert [part.resumed for part in record.interruptions] == [False]


def test_a_record_ends_the_trail(make_lab: MakeLab, toys: Path, ask: Ask) -> None:
    """rerun=all after a stop begins at the beginning: what was left belongs to the old record."""
    unit = unit_of(make_lab("resumes"), toys, "again")
    ask(17)
    with pytest.raises(Stopped):
        attempt(unit)
    ask(-1)
    record = attempt(unit)
    write_record(path_of(unit), record)  # and the process is killed before it clears its trail
    assert Trail(unit).past == []
    assert not Trail(unit).folder.exists()


def test_an_error_after_the_signal_is_no_failure(make_lab: MakeLab, toys: Path, ask: Ask) -> None:
    """A cluster signals every process of a job, the helpers of a method too."""
    lab = make_lab("fails", how="raise")
    unit = unit_of(lab, toys, "raise")
    ask(2)
    with pytest.raises(Stopped):
        attempt(unit)
    ask(-1)
    assert attempt(unit).status == "failed"


def test_pretraining_goes_on_too(make_lab: MakeLab, toys: Path, ask: Ask) -> None:
    lab = make_lab("pretrains", resumes=True)
    unit = unit_of(lab, toys, "pretraining", steps_budget(40))
    ask(7)
    with pytest.raises(Stopped) as stopped:
        attempt(unit)
    assert stopped.value.saved
    ask(-1)
    record = finish(unit)
    assert record.pretraining is not None
    assert (record.pretraining.steps, record.pretraining.reused) == (20, False)
    assert record.adaptation.steps == 20
    assert not list((Path(unit.results) / "pretrained").glob("*.saved.*"))


def test_a_state_of_anything_else_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "state.safetensors"
    with pytest.raises(TypeError, match="a state holds object; only numbers, texts, tensors"):
        write_nested(file, {"part": object()})
    with pytest.raises(TypeError, match=r"a state has the key \(1, 2\)"):
        write_nested(file, {"part": {(1, 2): 3}})
    assert list(tmp_path.iterdir()) == []
