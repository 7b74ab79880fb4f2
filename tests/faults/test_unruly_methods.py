"""Methods that do what they should not: it stays their own affair. Those that raise, exit, are
killed, hang or leave threads are in tests/cli/test_run.py."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.record.schema import Record
from bench.record.store import read_records
from tests.conftest import Outcome
from tests.faults.conftest import Sweeps, litter

HARMLESS = ("nothing", "fork", "child", "folder", "environment", "streams", "binary", "scorer")
FAILING = {
    "reason": "ValueError: ?[31mred? ?? end",
    "floods": "it printed more than 1 MiB into its log",
}
MIB = 2**20


def alive(marked: Path) -> list[int]:
    """Processes that were started by the sweep, by what is in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("SAMBENCH_TEST") == str(marked):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def by_name(results: Path) -> dict[str, Record]:
    records = list(read_records(results))
    found = {record.request.options["how"]: record for record in records}
    assert len(found) == len(records), "nothing double"
    return found


@pytest.fixture(scope="module")
def all_of_them(
    sweeps: Sweeps, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Outcome, Path]]:
    results = tmp_path_factory.mktemp("unruly")
    temporary = tmp_path_factory.mktemp("temporary")
    words = ("method=unruly", f"method.how={','.join((*HARMLESS, *FAILING))}")
    done = sweeps(
        *words,
        results=results,
        environment={"SAMBENCH_TEST": str(results), "TMPDIR": str(temporary)},
        patches={
            "bench.executors.process:LONGEST_LOG": MIB,
            "bench.executors.local:LONGEST_LOG": MIB,
        },
    )
    yield done, results
    assert list(temporary.iterdir()) == []


def scores(record: Record) -> list[Any]:
    return [case.model_dump(exclude={"seconds"}) for case in record.cases]


@pytest.mark.parametrize("how", HARMLESS)
def test_what_it_does_changes_no_number(all_of_them: tuple[Outcome, Path], how: str) -> None:
    found = by_name(all_of_them[1])
    assert found[how].status == "done", found[how].reason
    assert scores(found[how]) == scores(found["nothing"])
    assert found[how].adaptation.steps == 2


@pytest.mark.parametrize("how", FAILING)
def test_its_reason_is_a_line(all_of_them: tuple[Outcome, Path], how: str) -> None:
    done, results = all_of_them
    record = by_name(results)[how]
    assert (record.status, record.reason) == ("failed", FAILING[how])
    assert f"failed: unruly how={how} folder shots 1 draw 0: {FAILING[how]}\n" in done.out


def test_the_sweep_goes_on(all_of_them: tuple[Outcome, Path]) -> None:
    done, results = all_of_them
    assert done.code == 1
    assert f"{len(HARMLESS)} of {len(HARMLESS) + len(FAILING)} units done" in done.out
    assert done.out.replace("\n", "").isprintable(), "no escape code reaches the terminal"
    assert alive(results) == [], "nothing that a method started outlives it"
    assert litter(results) == []
    assert not list(results.glob(".units/*"))


def test_its_log_is_bounded(all_of_them: tuple[Outcome, Path]) -> None:
    results = all_of_them[1]
    log = results / "logs" / f"{by_name(results)['floods'].key}.log"
    assert log.read_bytes().startswith(b"all work and no play\n")
    assert log.stat().st_size <= MIB
    binary = results / "logs" / f"{by_name(results)['binary'].key}.log"
    assert bytes(range(256)) in binary.read_bytes()


def test_in_one_process_the_next_one_is_not_disturbed(sweeps: Sweeps, tmp_path: Path) -> None:
    """executor=inline: where it was, and in the environment that there was."""
    words = ("method=unruly", "method.how=folder,environment,fork,nothing", "executor=inline")
    words = tuple(word for word in sweeps.words(*words, results=tmp_path / "results"))
    done = sweeps.warm(*[word for word in words if "executor.threads" not in word])
    assert done.code == 0, done
    found = by_name(tmp_path / "results")
    assert len(found) == 4
    assert len({str(scores(record)) for record in found.values()}) == 1
    assert "4 of 4 units done" in done.out


def test_one_that_ignores_every_request(sweeps: Sweeps, tmp_path: Path) -> None:
    """Ctrl-C: it has its seconds, then it is ended; nothing was done, and nothing is left."""
    results = tmp_path / "results"
    running = sweeps.start(
        *("method=unruly", "method.how=stubborn"),
        results=results,
        environment={"SAMBENCH_TEST": str(results)},
        patches={"bench.executors.local:GRACE": 0.5},
    )
    end = time.monotonic() + 60
    while not any(b"stubborn" in log.read_bytes() for log in results.glob("logs/*.log")):
        assert time.monotonic() < end, "it never began"
        time.sleep(0.05)
    os.kill(running.pid, signal.SIGINT)
    done = running.outcome(60)
    assert done.code == 130
    assert "stopped: 0 of 1 units done, nothing of them is lost" in done.out
    assert alive(results) == []
    assert list(read_records(results)) == []
