"""The limits that a supervisor holds a worker's process to."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bench.unit import watch
from bench.unit.watch import Limits, check_limits


def problem(limits: Limits, folder: Path, *, question: str = "pull", seconds: float = 1.0) -> str:
    return check_limits(limits, question, seconds, os.getpid(), folder) or ""


def test_within_its_limits_it_goes_on(tmp_path: Path) -> None:
    limits = Limits(predict=5.0, answer=9.0, until=(time.monotonic() + 100, "the test"))
    assert problem(limits, tmp_path, question="predict", seconds=4.9) == ""
    assert problem(limits, tmp_path, seconds=8.9) == ""


def test_a_long_prediction(tmp_path: Path) -> None:
    limits = Limits(predict=5.0)
    found = problem(limits, tmp_path, question="predict", seconds=5.1)
    assert found == (
        "predict took longer than 5 s for one volume (the limit of this data set; "
        "predict_limit=SECONDS sets another)"
    )
    assert problem(limits, tmp_path, question="pull", seconds=5.1) == ""


def test_an_answer_that_does_not_come(tmp_path: Path) -> None:
    assert problem(Limits(answer=9.0), tmp_path, seconds=9.1) == "a step did not end within 9 s"


def test_a_check_that_does_not_end(tmp_path: Path) -> None:
    limits = Limits(until=(time.monotonic() - 1, "the 30 s of the check (check.limit)"))
    for question, said in (("pull", "a step"), ("predict", "predict"), ("start", "it")):
        found = problem(limits, tmp_path, question=question)
        assert found == f"{said} did not end within the 30 s of the check (check.limit)"


def test_too_many_processes(tmp_path: Path) -> None:
    found = problem(Limits(processes=0), tmp_path)
    assert found.startswith("it started ")
    assert found.endswith(" processes; 0 are allowed")


def test_too_many_bytes(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "large").write_bytes(bytes(2**20))
    (tmp_path / "link").symlink_to("/")
    found = problem(Limits(scratch=2**19), tmp_path)
    assert found == "it wrote 0.0 GiB of temporary files; 0 are allowed"
    assert problem(Limits(scratch=2**21), tmp_path) == ""


def test_a_disk_that_it_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LEAST_FREE", 2**60)
    assert problem(Limits(), tmp_path) == "", "not its doing"
    monkeypatch.setattr(watch, "LEAST_FREE", 10)
    monkeypatch.setattr(watch.shutil, "disk_usage", lambda folder: _Full())
    (tmp_path / "large").write_bytes(bytes(2**16))
    assert "of temporary files filled the disk" in problem(Limits(), tmp_path)


class _Full:
    free = 0
