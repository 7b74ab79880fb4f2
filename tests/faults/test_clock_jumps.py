"""The wall clock jumps: budgets, limits and the order of events do not."""

from __future__ import annotations

import ast
import os
import signal
import time
from pathlib import Path

from bench.record.store import read_records
from tests.conftest import starts_of
from tests.faults.conftest import Sweeps

JUMPING = ("tests.faults.jumping:install",)
OF_FILES = {"bench/executors/slurm/batches.py", "bench/models/embeddings/room.py"}
"""They compare the wall clock with the times of files: is something an hour or a day old?"""


def test_a_budget_of_seconds(sweeps: Sweeps, tmp_path: Path) -> None:
    """Also one that is stopped and gone on with, and a limit of the executor."""
    words = (
        *("method=resumes", "method.steps=100000", "method.sleep=0.01", "budget=cpu-1min"),
        *("budget.seconds=5", "budget.steps=null", "executor.timeout=60"),
    )
    results = tmp_path / "results"
    began = time.monotonic()
    first = sweeps.start(*words, results=results, before=JUMPING)
    end = time.monotonic() + 60
    while not starts_of(results):
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.3)
    os.kill(first.pid, signal.SIGINT)
    assert first.wait(60) == 130
    done = sweeps(*words, results=results, before=JUMPING)
    assert done.code == 0, done
    [record] = read_records(results)
    elapsed = time.monotonic() - began
    assert 5 <= record.adaptation.seconds < elapsed
    assert record.adaptation.ended == "budget"
    assert [part.resumed for part in record.interruptions] == [True]
    harness = record.harness
    assert harness is not None
    assert 5 <= harness.wall_seconds < elapsed
    assert harness.method_seconds <= harness.wall_seconds


def test_a_record_from_the_future(sweeps: Sweeps, tmp_path: Path) -> None:
    """Its time tells one version from the next, whichever way the clock went between them."""
    results = tmp_path / "results"
    assert sweeps("method=resumes", results=results).code == 0
    [path] = results.glob("records/*/*/*.json")
    os.utime(path, (4_000_000_000, 4_000_000_000))
    before = path.read_bytes()
    done = sweeps("method=resumes", "rerun=all", results=results)
    assert done.code == 0, done
    assert "[1/1] done" in done.out
    assert path.read_bytes() != before


def test_no_duration_is_measured_on_the_wall(project_root: Path) -> None:
    """time.time() is for the times of files alone."""
    found = set()
    for file in sorted((project_root / "bench").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in (
                *("time.time", "time.time_ns", "datetime.utcnow"),
            ):
                found.add(file.relative_to(project_root).as_posix())
    assert found == OF_FILES
