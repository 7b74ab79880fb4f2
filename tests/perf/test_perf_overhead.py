"""A unit of about a minute under the harness against the same loop run bare, taken in turns.

Both are processes of their own: they import torch, build the U-Net, take the same number of
optimiser steps on the same volumes and predict the same test volumes. The harness also keeps the
clock, swaps random states, checks, scores and records. Scoring is not overhead and is taken off.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

from bench.record.store import read_records
from tests.conftest import ROOT, Bench

SECONDS = 60.0
ROUNDS = 2

BARE = """
import json, sys
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
import torch
from bench.contract import Setting, Task
from bench.data.store import open_store
from bench.registry import discover, load

record, folder, threads = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]), sys.argv[3]

class Clock:
    limited, fraction, steps, step_limit = True, 0.0, 0, None

torch.set_num_threads(int(threads))
store = open_store(folder)
found, _ = discover().method(record["request"]["method"])
setting = Setting(tuple(record["data"]["classes"]), record["data"]["modality"], "cpu", 0)
method = load(found)(SimpleNamespace(**record["request"]["options"]), setting)
support = [store.volume(case, with_label=True) for case in record["data"]["support"]]
task = Task(setting, support, [], Path())
for progress in islice(method.adapt(task, Clock()), record["request"]["budget"]["steps"]):
    pass
test = record["data"]["test"]
for case in [test[0], *test]:
    method.predict(store.volume(case, with_label=False))
"""


def test_overhead(benchmark: BenchmarkFixture, bench: Bench, cache: Path, tmp_path: Path) -> None:
    def unit(results: Path, steps: int) -> float:
        start = time.perf_counter()
        done = bench(
            *("run", "method=unet", "shots=5", "draw=0", "budget=steps-100", "rerun=all"),
            *(f"budget.steps={steps}", "budget.probes=0", f"results={results}"),
        )
        assert done.code == 0, done.err
        return time.perf_counter() - start

    unit(tmp_path / "pilot", 60)
    (pilot,) = read_records(tmp_path / "pilot")
    steps = round(60 * SECONDS / pilot.adaptation.seconds)

    (store,) = (path.parent for path in cache.glob("volumes/phantom/*/manifest.json"))
    script = tmp_path / "bare.py"
    script.write_text(BARE)
    overheads, accounts = [], []
    for number in range(ROUNDS):
        results = tmp_path / f"round{number}"
        wall = unit(results, steps)
        (file,) = results.glob("records/*/*/*.json")
        (record,) = read_records(results)
        assert record.harness is not None
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, str(script), str(file), str(store), str(record.machine.threads)],
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            check=True,
        )
        bare = time.perf_counter() - start
        overheads.append((wall - record.harness.scoring_seconds - bare) / bare)
        accounts.append(record.harness.overhead_seconds / record.harness.wall_seconds)
    overhead = statistics.median(overheads)
    benchmark.extra_info["steps"] = steps
    benchmark.extra_info["unit_s"] = round(wall, 1)
    benchmark.extra_info["bare loop_s"] = round(bare, 1)
    benchmark.extra_info["overhead, wall against bare, %"] = round(100 * overhead, 2)
    benchmark.extra_info["overhead by the record's own account, %"] = round(
        100 * statistics.median(accounts), 2
    )
    benchmark.pedantic(lambda: None, rounds=1)
    assert overhead <= 0.03
