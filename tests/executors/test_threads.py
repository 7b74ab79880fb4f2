"""How many threads a unit gets: too many that wait for each other are slower than one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.device import usable_cores
from bench.executors.local import Local, default_threads
from tests.conftest import Bench


def test_the_cores_are_divided_among_the_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert default_threads(1) == usable_cores()
    assert default_threads(usable_cores()) == 1
    assert default_threads(1000) == 1


@pytest.mark.parametrize(("said", "threads"), [("3", 3), ("0", None), ("many", None), ("", None)])
def test_what_the_environment_says_counts(
    monkeypatch: pytest.MonkeyPatch, said: str, threads: int | None
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert default_threads(1) == (threads or usable_cores())


def test_the_option_counts_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert Local({"threads": 2}).threads == 2
    assert Local({"threads": "auto"}).threads is None


def test_the_record_says_it(bench: Bench, tmp_path: Path) -> None:
    words = ("run", "method=control_empty", "shots=1", "draw=0", "budget=cpu-30s")
    done = bench(*words, "executor.threads=1", "executor.jobs=1", f"results={tmp_path}")
    assert done.code == 0, done.err
    (file,) = tmp_path.glob("records/*/*/*.json")
    assert json.loads(file.read_text())["machine"]["threads"] == 1


def test_no_half_threads(bench: Bench) -> None:
    done = bench("run", "method=control_empty", "shots=1", "executor.threads=1.5")
    assert done.code == 2
    assert "executor.threads=1.5: a whole number, or auto" in done.err
