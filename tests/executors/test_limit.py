"""What a job's time limit stops: it is put back, and counted, until there is no sense in it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from bench.executors.local import Local, _Job
from bench.executors.process import UnitProcess
from bench.executors.slurm.job import TRIES, SlurmJob
from bench.record.schema import Record
from bench.record.store import read_record, write_record
from bench.unit.spec import Unit
from bench.unit.stop import CHANGED, STOPPED
from bench.unit.trail import Trail, path_of
from tests.record.conftest import whole

from .conftest import MakeUnit

pytest.importorskip("submitit")

MINUTES = 10
SAID = (
    "stopped 3 times by its job's limit of 10 min, and its method can't go on where it was "
    "stopped: give it more executor.time"
)


def ended(unit: Unit, code: int) -> UnitProcess:
    """Its process, which did as it was asked."""
    process = subprocess.Popen(["sh", "-c", f"exit {code}"])
    process.wait()
    return UnitProcess(unit, process, Path(unit.results) / "none", Path(unit.results) / "none.log")


def warned(
    unit: Unit, stops: tuple[str, ...], *, at_limit: bool = True, code: int = STOPPED
) -> Any:
    """What is put back, of a job that Slurm warns while this unit runs; None: the job ends."""
    job = SlurmJob("file", MINUTES, grace=1, stops=stops)
    job.began = time.monotonic() - (60 * MINUTES if at_limit else 0)
    job._local = Local({})
    if unit.stage == "pretrain":
        job._alone = ended(unit, code)
    else:
        lock: Any = None
        job._local._running.append(_Job(ended(unit, code), lock, 0, 0.0, 0.0))
    back = job.checkpoint()
    return None if back is None else back.function


def start(unit: Unit, *, saved: bool = False) -> None:
    trail = Trail(unit)
    trail.begin()
    trail.stopped(saved=saved)


@pytest.fixture
def unit(make_unit: MakeUnit) -> Unit:
    return make_unit()


@pytest.fixture
def shared(make_unit: MakeUnit) -> Unit:
    """A pre-training."""
    return make_unit(pretrain="0123456789abcdef").model_copy(update={"stage": "pretrain"})


def test_only_the_limit_counts(unit: Unit) -> None:
    """Two preemptions and one limit: not one of them was for want of time but the last."""
    stops: tuple[str, ...] = ()
    for at_limit in (False, False, True):
        start(unit)
        back = warned(unit, stops, at_limit=at_limit)
        stops = back.stops
    assert stops == (unit.key,)
    assert not path_of(unit).exists()
    assert (back.file, back.minutes, back.grace) == ("file", MINUTES, 1)


def test_it_is_recorded_after_three(unit: Unit) -> None:
    stops: tuple[str, ...] = ()
    for tries in range(1, TRIES + 1):
        assert not path_of(unit).exists()
        start(unit)
        stops = warned(unit, stops).stops
        assert stops == (unit.key,) * tries
    assert read_record(path_of(unit)).reason == SAID
    assert not Trail(unit).folder.exists()


def test_another_unit_of_the_job_has_a_count_of_its_own(unit: Unit) -> None:
    start(unit)
    assert warned(unit, ("another",) * 9).stops == ("another",) * 9 + (unit.key,)
    assert not path_of(unit).exists()


def test_what_can_go_on_is_put_back(unit: Unit) -> None:
    start(unit, saved=True)
    assert warned(unit, (unit.key,) * 9).stops.count(unit.key) == 10
    assert not path_of(unit).exists()


@pytest.mark.parametrize("code", [0, CHANGED])
def test_what_came_to_an_end_was_not_stopped(unit: Unit, code: int) -> None:
    made = Record.model_validate({**whole(), "key": unit.key})
    write_record(path_of(unit), made)
    assert warned(unit, (unit.key,) * 2, code=code).stops == (unit.key,) * 2
    assert read_record(path_of(unit)) == made


def test_a_pretraining_ends_after_three(shared: Unit, capsys: pytest.CaptureFixture[str]) -> None:
    """Its units try it themselves, and record what they meet."""
    assert warned(shared, (shared.key,)).stops == (shared.key,) * 2
    assert warned(shared, (shared.key,) * 2, at_limit=False).stops == (shared.key,) * 2
    assert warned(shared, (shared.key,) * 2, code=0).stops == (shared.key,) * 2
    assert capsys.readouterr().out == ""
    assert warned(shared, (shared.key,) * 2) is None
    assert capsys.readouterr().out == f"pre-training {shared.title}: {SAID}\n"
    assert not path_of(shared).exists()


def test_one_that_can_go_on_does(shared: Unit) -> None:
    assert shared.pretrain is not None
    saved = Path(shared.results) / "pretrained" / f"{shared.pretrain.key}.saved.safetensors"
    saved.parent.mkdir()
    saved.write_bytes(b"a state")
    assert warned(shared, (shared.key,) * 9) is not None
