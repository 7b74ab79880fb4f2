"""How the units of a results folder stand, seen from another shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.cli.status import lines, main
from bench.executors.claim import Claims, fail
from bench.executors.slurm import batches, queue
from bench.executors.slurm.batches import Array, Batch
from bench.executors.slurm.queue import Job
from bench.executors.survey import survey
from bench.executors.sweeps import FOLDER, note_sweep, read_sweeps
from bench.record.schema import Record
from bench.record.store import write_record
from bench.unit.trail import Trail, path_of
from tests.record.conftest import whole

from .conftest import MakeUnit


def test_every_state(make_unit: MakeUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    units = [make_unit(number) for number in range(8)]
    done, failed, running, queued, waits, stopped, untouched, here = units
    note_sweep(units, command="python -m bench run ...", executor="slurm")
    record = Record.model_validate(whole())
    write_record(path_of(done), record.model_copy(update={"key": done.key}))
    fail(failed, "out of luck")
    for begun in (running, stopped, here):
        Trail(begun).begin()
    array = Array("sambench-1-0", "all", ((running.key, waits.key), (queued.key,)), "12")
    Batch(tmp_path / FOLDER / "slurm-1", (array,)).write()
    jobs = [
        Job("12_0", "sambench-1-0", "RUNNING", "node7", "None"),
        Job("12_1", "sambench-1-0", "PENDING", "", "Priority"),
    ]
    monkeypatch.setattr(batches, "live_jobs", lambda names: {(j.name, j.index): j for j in jobs})
    lock = Claims((here,)).claim(here)
    assert lock is not None
    found = {unit.key: unit for unit in survey(tmp_path).units}
    lock.release()
    assert found[done.key].state == "done"
    assert (found[failed.key].state, found[failed.key].reason) == ("failed", "out of luck")
    assert (found[running.key].state, found[running.key].where) == ("running", "job 12_0 on node7")
    assert (found[queued.key].state, found[queued.key].reason) == ("queued", "Priority")
    assert found[waits.key].state == "queued", "its job runs, and is at another unit"
    assert found[stopped.key].state == "stopped"
    assert found[untouched.key].state == "not started"
    assert found[here.key].state == "running"
    after = survey(tmp_path)
    assert after.counts["stopped"] == 2, "its lock is free now"
    assert after.moves
    text = "\n".join(lines(after))
    assert text.startswith("8 units · 1 done · 1 failed · 1 running · 2 queued · 2 stopped · 1 not")
    assert "out of luck" in text
    assert text.endswith("asked for by: python -m bench run ...")


def test_a_queue_that_does_not_answer_is_said(
    make_unit: MakeUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note_sweep([make_unit(1)], command="c", executor="slurm")
    array = Array("sambench-1-0", "all", ((make_unit(1).key,),), None)
    Batch(tmp_path / FOLDER / "slurm-1", (array,)).write()
    monkeypatch.setenv("PATH", "")
    found = survey(tmp_path)
    assert found.counts == {"not started": 1}
    assert found.note.startswith("jobs that wait are not seen: squeue: ")


def test_nothing_was_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"results={tmp_path}"], ()) == 0
    assert "nothing was asked for in this folder" in capsys.readouterr().out


def test_json(make_unit: MakeUnit, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note_sweep([make_unit(1)], command="c", executor="local")
    fail(make_unit(1), "why not")
    assert main([f"results={tmp_path}", "--json"], ()) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["counts"] == {"failed": 1}
    assert [unit["reason"] for unit in found["units"]] == ["why not"]


def test_the_same_sweep_is_noted_once(make_unit: MakeUnit, tmp_path: Path) -> None:
    for units in ([1, 2], [2, 1], [1, 2, 3]):
        note_sweep([make_unit(n) for n in units], command=str(units), executor="local")
    found = list(read_sweeps(tmp_path))
    assert sorted(len(sweep.units) for sweep in found) == [2, 3]
    assert "[2, 1]" in {sweep.command for sweep in found}


def test_squeue_s_words(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [
        "12_0|sambench-1-0|RUNNING|n1|None",
        "13|sambench-1-1|PENDING||Dependency",
        "12_1|sambench-1-0|COMPLETED|n1|None",
        "12_2|sambench-1-0|COMPLETING|n1|None",
    ]
    monkeypatch.setattr(queue, "_ask", lambda *command: said)
    found = queue.live_jobs(["sambench-1-0", "sambench-1-1"])
    assert set(found) == {("sambench-1-0", 0), ("sambench-1-1", 0), ("sambench-1-0", 2)}
    assert found["sambench-1-1", 0].queued
    assert queue.live_jobs([]) == {}


def test_an_old_submission_is_not_asked_about_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Batch(tmp_path / FOLDER / "slurm-1", (Array("a", "all", (("k",),), "1"),)).write()
    asked: list[list[str]] = []

    def live(names: list[str]) -> dict[tuple[str, int], Job]:
        asked.append(list(names))
        return {}

    monkeypatch.setattr(batches, "live_jobs", live)
    assert batches.places(tmp_path)["k"].job is None
    monkeypatch.setattr(batches, "SETTLED", -1.0)
    batches.places(tmp_path)
    assert batches.places(tmp_path)["k"].number == "1"
    assert asked == [["a"], ["a"], []]
