"""Did its job start a unit? A trail that an earlier start has left does not say so."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from bench.executors import slurm
from bench.executors.claim import Claims
from bench.executors.events import Event
from bench.executors.known import executor_defaults
from bench.executors.slurm import batches
from bench.executors.slurm.batches import Array, Batch, Place, read_batches
from bench.executors.slurm.options import read_options
from bench.executors.slurm.queue import Job
from bench.executors.starts import last_start, start_names
from bench.executors.survey import survey
from bench.executors.sweeps import FOLDER, note_sweep
from bench.record.schema import Record
from bench.record.store import read_record, write_record
from bench.unit.spec import Unit
from bench.unit.trail import Trail, path_of
from tests.record.conftest import whole

from .conftest import MakeUnit


@pytest.fixture
def unit(make_unit: MakeUnit) -> Unit:
    """Stopped by an earlier job, with its state saved."""
    unit = make_unit()
    earlier = Trail(unit)
    earlier.begin()
    earlier.stopped(saved=True)
    (earlier.folder / "adaptation.safetensors").write_bytes(b"hours of work")
    return unit


def place(unit: Unit, state: str | None = None) -> Place:
    """Its new job; `state`: of one that is live."""
    results = Path(unit.results)
    array = Array("sambench-1-0", "all", ((unit.key,),), "12")
    batch = Batch(results / FOLDER / "slurm-1", (array,), start_names(results, [unit.key]))
    batch.write()
    job = None if state is None else Job("12", array.name, state, "node7", "None")
    return Place(batch, array, 0, job)


def ends_as(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    monkeypatch.setattr(batches, "end_of", lambda job: (state, "on node1"))


@pytest.mark.parametrize("state", ["OUT_OF_MEMORY", "FAILED", "TIMEOUT"])
def test_its_job_never_came_to_it(unit: Unit, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    ends_as(monkeypatch, state)
    event = slurm._gone(unit, place(unit))
    assert (event.kind, event.reason) == ("stopped", f"its job 12 ended as {state} on node1")
    assert not path_of(unit).exists()
    assert (Trail(unit).folder / "adaptation.safetensors").read_bytes() == b"hours of work"
    assert Trail(unit).saved


def test_its_job_killed_it(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    ends_as(monkeypatch, "OUT_OF_MEMORY")
    its = place(unit)
    Trail(unit).begin()
    assert slurm._gone(unit, its).kind == "failed"
    record = read_record(path_of(unit))
    assert record.reason == "its job 12 ended as OUT_OF_MEMORY on node1, without a record"
    assert len(record.interruptions) == 1


def test_it_stopped_as_it_was_asked(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its job was ended before it was put back."""
    ends_as(monkeypatch, "TIMEOUT")
    its = place(unit)
    again = Trail(unit)
    again.begin()
    again.stopped(saved=True)
    assert slurm._gone(unit, its).kind == "stopped"
    assert Trail(unit).saved


def test_a_first_start_counts(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    ends_as(monkeypatch, "FAILED")
    new = make_unit(1)
    its = place(new)
    assert slurm._gone(new, its).kind == "stopped"
    Trail(new).begin()
    assert slurm._gone(new, its).kind == "failed"


def test_a_job_that_nobody_knows(unit: Unit) -> None:
    assert slurm._gone(unit, None) == Event("stopped", unit, "its job ended")


def test_a_damaged_trail_is_no_start(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    (Trail(unit).folder / "trail.json").write_bytes(b"")
    ends_as(monkeypatch, "FAILED")
    assert slurm._gone(unit, place(unit)).kind == "stopped"


def test_a_submission_notes_the_starts_there_were(
    unit: Unit, make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("bench.executors.slurm.submit")
    monkeypatch.setattr(module, "_submit_array", lambda *given: "12")
    options = read_options(executor_defaults("slurm"))
    slurm.submit([unit, make_unit(1)], {}, options)
    (batch,) = read_batches(Path(unit.results))
    start = last_start(Path(unit.results), unit.key)
    assert start is not None
    assert dict(batch.starts) == {unit.key: start.name}


def test_status_waits_for_the_job_s_own_start(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    note_sweep([unit], command="c", executor="slurm")
    its = place(unit, "RUNNING")
    monkeypatch.setattr(batches, "live_jobs", lambda names: {("sambench-1-0", 0): its.job})

    def state() -> str:
        return survey(Path(unit.results)).units[0].state

    assert state() == "queued", "its job is at another unit, or still setting up"
    again = Trail(unit)
    again.begin()
    assert state() == "running"
    again.stopped(saved=True)
    assert state() == "queued"


def test_it_is_reported_as_started_once_it_is(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "check_slurm", lambda: None)
    monkeypatch.setattr(slurm, "POLL", 0.0)
    its = place(unit, "RUNNING")
    events: list[str] = []
    looks: list[int] = []

    def look(results: Path) -> dict[str, Place]:
        looks.append(len(events))
        if len(looks) == 3:
            Trail(unit).begin()
        if len(looks) == 5:
            record = Record.model_validate(whole())
            write_record(path_of(unit), record.model_copy(update={"key": unit.key}))
        return {unit.key: its}

    monkeypatch.setattr(slurm, "places", look)
    executor = slurm.Slurm(executor_defaults("slurm"))
    executor._watch([unit], Claims((unit,)), lambda event: events.append(event.kind))
    assert events == ["started", "done"]
    assert looks == [0, 0, 0, 1, 1]
