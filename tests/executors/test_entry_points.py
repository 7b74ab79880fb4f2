"""An executor from another package: found by its name, with options of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Bench

ENGINE = '''
from bench.executors.events import Event
from bench.executors.local import Local


class Loud:
    """Runs units as `local` does, one at a time, and says so."""

    options = {"word": "hello", "threads": 1}

    def __init__(self, options):
        self.word = options["word"]
        self.local = Local({"jobs": 1, "threads": options["threads"]})

    def run(self, units, report):
        print(f"{self.word}: {len(units)} units")
        self.local.run(units, report)
'''


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """An installed package, as pip leaves one."""
    folder = tmp_path / "packages"
    about = folder / "loud-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / "loud.py").write_text(ENGINE)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[sambench.executors]\nloud = loud:Loud\n")
    return folder


def test_it_runs_with_its_options(engine: Path, tmp_path: Path, cache: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *(sys.executable, "-m", "bench", "run", "method=control_empty", "shots=1"),
                *("draw=0", "budget=cpu-30s", "executor=loud", f"data.cache={cache}"),
                *(f"results={tmp_path / 'results'}", *words),
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(engine)))},
            capture_output=True,
            text=True,
            timeout=300,
        )

    done = run("executor.word=aha")
    assert done.returncode == 0, done.stderr
    assert "aha: 1 units" in done.stdout
    assert "1 of 1 units done" in done.stdout
    wrong = run("executor.wrd=aha")
    assert wrong.returncode == 2
    assert "unknown option of executor loud 'wrd'; did you mean word?" in wrong.stderr


def test_a_mistyped_one_is_refused(bench: Bench) -> None:
    done = bench("run", "method=control_empty", "executor=slrm")
    assert done.code == 2
    assert "unknown executor 'slrm'; did you mean slurm?" in done.err
