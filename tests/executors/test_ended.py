"""A unit that must be ended may have come to its record just before: that record stays."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.executors import local, process
from bench.executors.claim import Claims
from bench.executors.local import Local, _Job, _outcome
from bench.executors.process import UnitProcess
from bench.record.schema import Record
from bench.record.store import read_record, write_record
from bench.unit.spec import Unit
from bench.unit.stop import STOPPED
from bench.unit.trail import path_of
from tests.record.conftest import whole

from .conftest import MakeUnit

Start = Callable[..., _Job]


@pytest.fixture
def unit(make_unit: MakeUnit) -> Unit:
    return make_unit()


@pytest.fixture
def start(unit: Unit, tmp_path: Path) -> Iterator[Start]:
    """start("sleep 60", seconds=0): a unit's process as `local` holds it, at its deadline."""
    made: list[_Job] = []

    def call(script: str, *, seconds: float) -> _Job:
        started = subprocess.Popen(["sh", "-c", script], start_new_session=True)
        folder, log = tmp_path / "temporary", tmp_path / "unit.log"
        lock = Claims((unit,)).claim(unit)
        assert lock is not None
        running = UnitProcess(unit, started, folder, log)
        made.append(_Job(running, lock, 0, time.monotonic() + seconds, 12.0))
        return made[-1]

    yield call
    for job in made:
        job.process.end()
        job.lock.release()


def record(unit: Unit, *, status: str) -> Record:
    made = Record.model_validate({**whole(), "key": unit.key, "status": status, "reason": "mine"})
    write_record(path_of(unit), made)
    return made


@pytest.mark.parametrize("status", ["done", "failed"])
def test_at_its_deadline(unit: Unit, start: Start, status: str) -> None:
    claims = Claims((unit,))
    job = start("sleep 60", seconds=0)
    made = record(unit, status=status)
    event = _outcome(job, claims)
    assert event is not None
    assert (event.kind, event.reason) == (status, "mine")
    assert read_record(path_of(unit)) == made
    assert job.process.code() is not None


def test_after_too_long_a_log(
    unit: Unit, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LONGEST_LOG", 10)
    monkeypatch.setattr(process, "KEPT_OF_LOG", 4)
    (tmp_path / "unit.log").write_text("much too much")
    claims = Claims((unit,))
    job = start("sleep 60", seconds=60)
    made = record(unit, status="done")
    event = _outcome(job, claims)
    assert event is not None
    assert event.kind == "done"
    assert read_record(path_of(unit)) == made
    assert (tmp_path / "unit.log").read_text() == "much"


def test_without_a_record_it_says_why(unit: Unit, start: Start, tmp_path: Path) -> None:
    event = _outcome(start("sleep 60", seconds=0), Claims((unit,)))
    assert event is not None
    assert event.reason == "timed out after 12 s (executor.timeout)"
    assert read_record(path_of(unit)).reason == event.reason


def test_what_runs_is_left_alone(unit: Unit, start: Start) -> None:
    job = start("sleep 60", seconds=60)
    assert _outcome(job, Claims((unit,))) is None
    assert job.process.code() is None


def test_one_that_stopped_is_no_failure(unit: Unit, start: Start) -> None:
    job = start(f"exit {STOPPED}", seconds=0)
    job.process.process.wait()
    event = _outcome(job, Claims((unit,)))
    assert event is not None
    assert (event.kind, event.reason) == ("stopped", "it was asked to stop")
    assert not path_of(unit).exists()


def test_a_reason_steers_no_terminal(unit: Unit) -> None:
    claims = Claims((unit,))
    made = Record.model_validate({**whole(), "status": "failed", "reason": "\x1b[2Jgone\nagain"})
    write_record(path_of(unit), made)
    event = claims.ended(unit)
    assert event is not None
    assert event.reason == "?[2Jgone again"


def test_more_slots_than_units_take_no_room(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    """executor.jobs=1000000000: no list of as many is made."""
    asked: list[int] = []
    monkeypatch.setattr(local, "range", lambda n: asked.append(n) or [0], raising=False)
    record(unit, status="done")
    Local({"jobs": 10**9}).run([unit], lambda event: None, Claims((unit,), {unit.key: None}))
    assert asked == [1]
