"""The main command as a user meets it: resolved, run, skipped, refused, interrupted, gone on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench.record.store import read_records
from tests.conftest import ROOT, Bench, starts_of

TINY = ("budget=steps-100", "budget.steps=4", "budget.probes=0")


def records(results: Path) -> dict[str, Any]:
    return {record.key: record for record in read_records(results)}


def test_two_units_then_nothing_to_do(bench: Bench, tmp_path: Path) -> None:
    words = (
        "run",
        "method=control_empty,control_atlas",
        "shots=1",
        "draw=0",
        f"results={tmp_path}",
    )
    first = bench(*words, *TINY)
    assert first.code == 0, first.err
    line = first.out.splitlines()[0]
    assert line.startswith("device cpu · backbone none needed · budget steps-100+")
    assert line.endswith("2 units to do, 0 already done")
    assert "2 of 2 units done" in first.out
    found = records(tmp_path)
    assert {record.request.method for record in found.values()} == {
        "control_empty",
        "control_atlas",
    }

    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    second = bench(*words, *TINY)
    assert second.code == 0
    assert "0 units to do, 2 already done" in second.out
    assert stamps == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}

    again = bench(*words, *TINY, "rerun=all", "executor=inline")
    assert "2 units to do" in again.out
    assert stamps != {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    assert set(records(tmp_path)) == set(found), "the same request has the same keys"


def test_a_failure_is_recorded_and_the_rest_runs(bench: Bench, tmp_path: Path, toys: Path) -> None:
    words = (
        "run",
        "method=fails",
        "method.how=raise,exit,kill,memory,interrupt,thread,nothing",
        "shots=1",
        "draw=0",
        f"results={tmp_path}",
        "--include",
        str(toys),
    )
    done = bench(*words, *TINY)
    assert done.code == 1
    reasons = {r.request.options["how"]: r.reason for r in records(tmp_path).values()}
    assert reasons == {
        "raise": "ValueError: this one has two lines",
        "exit": "the method called sys.exit(3)",
        "kill": "its process was ended by SIGKILL; often the machine ran out of memory",
        "memory": "out of host memory: MemoryError",
        "interrupt": "the method raised KeyboardInterrupt",
        "thread": None,
        "nothing": None,
    }
    assert "2 of 7 units done" in done.out
    assert "failed: fails how=kill phantom shots 1 draw 0: its process was ended" in done.out
    logs = [line.removeprefix("  log: ") for line in done.out.splitlines() if "  log: " in line]
    assert len(logs) == 5
    assert any("this one" in Path(log).read_text() for log in logs)

    later = bench(*words, *TINY)
    assert later.code == 1, "failed units stay failed until they are asked for again"
    assert "5 failed before (rerun=failed tries them again)" in later.out


def test_a_hang_is_ended_and_recorded(
    bench: Bench, tmp_path: Path, toys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    done = bench(
        *("run", "method=fails", "method.how=hang", "shots=1", "draw=0", f"results={tmp_path}"),
        *("--include", str(toys), "executor.timeout=12", *TINY),
    )
    assert done.code == 1
    (record,) = records(tmp_path).values()
    assert record.reason == "timed out after 12 s (executor.timeout)"
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["method=linear_prob"], "unknown method 'linear_prob'; did you mean linear_probe?"),
        (["method=unet", "dataset=phantm"], "unknown dataset 'phantm'; did you mean phantom?"),
        (["method=unet", "budget=cpu-2mn"], "unknown budget 'cpu-2mn'; did you mean cpu-2min"),
        (["method=unet", "shotz=1"], "unknown option 'shotz'; did you mean shots?"),
        (["method=unet", "method.lrr=1"], "unknown option of method unet 'lrr'; did you mean lr?"),
        (["method=unet", "method.lr=fast"], "option lr of method unet: 'fast' is not a number"),
        (["method=unet", "shots=0"], "at least one labelled patient or slice is needed"),
        (["method=unet", "shots=99"], "ask for at most shots="),
        (["method=unet", "draw=hsma"], "unknown draw of phantom 'hsma'"),
        (["method=unet", "device=cuda:7"], "sees no CUDA device here"),
        (["method=unet", "data.root=/no/such/folder"], "there is no folder /no/such/folder"),
        (["dataset=phantom"], "say which method="),
        (["method=unet", "executor.jobs=0"], "executor.jobs=0: a number above 0, or auto"),
        (["method=unet", "executor.jobs=nan"], "executor.jobs=nan: a number above 0, or auto"),
        (["method=unet", "executor.jobs=inf"], "executor.jobs=inf: a number above 0, or auto"),
        (["method=unet", "executor.timeout=nan"], "executor.timeout=nan: a number above 0, or"),
        (
            ["method=unet", "executor=slurm", "executor.timeout=2h"],
            "executor.timeout=2h: a number above 0, or auto",
        ),
        (["method=unet", "results"], "'results' is not key=value"),
    ],
)
def test_a_wrong_request_is_one_line(
    bench: Bench, tmp_path: Path, words: list[str], message: str
) -> None:
    done = bench("run", *words, f"results={tmp_path}" if "results" not in words else "seed=0")
    assert done.code == 2
    *before, line = done.err.strip().splitlines()
    assert line.startswith("sambench: ")
    assert message in line
    assert all(note.startswith("converting") for note in before)
    assert not list(tmp_path.rglob("*.json"))


def sweep(tmp_path: Path, toys: Path, cache: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "bench", "run", "method=slow", "shots=1", "draw=0,1,2"),
            *("budget=cpu-1min", "budget.probes=0", f"results={tmp_path}", f"data.cache={cache}"),
            *("--include", str(toys), *words),
        ],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def wait_for_records(results: Path, count: int, *, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while len(list(results.glob("records/*/*/[!.]*.json"))) < count:
        assert time.monotonic() < end, "no record came"
        time.sleep(0.05)


def units_alive(results: Path) -> list[int]:
    """Processes of units, by what /proc says of their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes()
            where = (entry / "environ").read_bytes()
        except OSError:
            continue
        if b"bench.unit" in line and f"SAMBENCH_TEST={results}".encode() in where:
            found.append(int(entry.name))
    return found


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_sweep_goes_on(
    tmp_path: Path, toys: Path, cache: Path, bench: Bench, how: signal.Signals
) -> None:
    """Ctrl-C and kill -9 in the middle: nothing done is lost, nothing is done twice."""
    bench("prepare", "dataset=phantom")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    os.environ |= {"SAMBENCH_TEST": str(tmp_path), "TMPDIR": str(temporary)}
    try:
        process = sweep(tmp_path, toys, cache)
        wait_for_records(tmp_path, 1)
        process.send_signal(how)
        output = process.communicate(timeout=30)[0]
        end = time.monotonic() + 10
        while units_alive(tmp_path) and time.monotonic() < end:
            time.sleep(0.1)
        assert not units_alive(tmp_path), "an orphan would run its unit a second time"
        assert not list(temporary.iterdir())
        if how is signal.SIGINT:
            assert process.returncode == 130
            assert "units done, nothing of them is lost" in output
            assert "to go on: python -m bench run method=slow" in output
        before = {p: p.read_bytes() for p in tmp_path.glob("records/*/*/*.json")}
        assert 1 <= len(before) < 3

        rest = sweep(tmp_path, toys, cache)
        output = rest.communicate(timeout=120)[0]
    finally:
        del os.environ["SAMBENCH_TEST"], os.environ["TMPDIR"]
    assert rest.returncode == 0, output
    assert f"{3 - len(before)} units to do, {len(before)} already done" in output
    assert all(path.read_bytes() == content for path, content in before.items())
    assert len(records(tmp_path)) == 3
    assert all(record.status == "done" for record in records(tmp_path).values())


def test_a_unit_goes_on_from_its_step(
    tmp_path: Path, toys: Path, cache: Path, bench: Bench
) -> None:
    """A plain kill is Ctrl-C: what a method can go on with is not done again."""
    bench("prepare", "dataset=phantom")
    command = [
        *(sys.executable, "-m", "bench", "run", "method=resumes", "shots=1", "draw=0"),
        *("method.steps=400", "method.sleep=0.02", "budget=steps-500"),
        *("budget.probes=0", f"results={tmp_path}", f"data.cache={cache}"),
        *("--include", str(toys)),
    ]
    first = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)
    end = time.monotonic() + 90
    while not starts_of(tmp_path):
        assert time.monotonic() < end, "the unit never began"
        time.sleep(0.1)
    time.sleep(1)
    first.terminate()
    output = first.communicate(timeout=30)[0]
    assert first.returncode == 130
    assert f"--include {toys}" in output, "the command to go on is whole"
    assert records(tmp_path) == {}
    once = bench("status", "--once", f"results={tmp_path}")
    assert once.out.startswith("1 units · 1 stopped")
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0
    (record,) = records(tmp_path).values()
    assert [part.resumed for part in record.interruptions] == [True]
    assert record.adaptation.steps == 400
    begun = starts_of(tmp_path)
    assert begun[0] == 0 < begun[1]
    assert "gone on from its state" in bench("show", record.key, f"results={tmp_path}").out


def test_two_sweeps_share_the_work(tmp_path: Path, toys: Path, cache: Path, bench: Bench) -> None:
    bench("prepare", "dataset=phantom")
    both = [sweep(tmp_path, toys, cache) for _ in range(2)]
    outputs = [process.communicate(timeout=200)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert len(records(tmp_path)) == 3
    own = sum(
        line.endswith(tuple("012")) and " done   slow" in line
        for output in outputs
        for line in output.splitlines()
    )
    assert own == 3, outputs


def test_records_hold_no_path(bench: Bench, tmp_path: Path) -> None:
    bench("run", "method=control_empty", "shots=1", "draw=1", f"results={tmp_path}", *TINY)
    (path,) = tmp_path.glob("records/*/*/*.json")
    assert str(tmp_path) not in path.read_text()
    assert str(ROOT) not in path.read_text()
    assert json.loads(path.read_text())["status"] == "done"
