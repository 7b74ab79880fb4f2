"""kill -9 at random moments of a sweep, again and again, until it is done; then a comparison with
one that nobody disturbed.

    python -m tests.faults.killing kills=200 seed=1
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.record.schema import Record
from bench.record.store import read_records, record_files, status_of
from bench.unit.state import load_state
from tests.conftest import ROOT
from tests.faults.warm import Running, Warm
from tests.volumes import make_volumes

AIMS = ("sweep", "unit", "worker", "all")
"""What is killed: the command, one of its units, one's worker, or everything at once."""
RESUMES = 4


@dataclass(frozen=True)
class Campaign:
    """kills  aim -> how often something was really killed
    sweeps   folders that were brought to their end; starts: commands that it took
    """

    kills: Mapping[str, int]
    sweeps: int
    starts: int
    units: int
    seconds: float


@dataclass(frozen=True)
class Site:
    """One request, to be run in any results folder."""

    warm: Warm
    folder: Path

    def words(self, results: Path) -> tuple[str, ...]:
        return (
            *("run", "method=resumes,pretrains", "shots=1", "draw=0,1"),
            *("dataset=folder", f"dataset.root={self.folder / 'volumes'}"),
            *(f"data.cache={self.folder / 'cache'}", f"results={results}"),
            *("budget=steps-100", "budget.steps=30", "budget.probes=2"),
            *("keep=predictions,state", "executor.jobs=2", "executor.threads=1"),
            *("--include", str(ROOT / "tests" / "toys")),
        )

    def start(self, results: Path, *more: str) -> Running:
        temporary = results.with_name(f"{results.name}-tmp")
        temporary.mkdir(exist_ok=True)
        return self.warm.start(*self.words(results), *more, environment={"TMPDIR": str(temporary)})


def campaign(folder: Path, *, kills: int, seed: int) -> Campaign:
    """AssertionError at the first thing that is lost, double or half-written."""
    began = time.monotonic()
    make_volumes(folder / "volumes")
    (folder / "said").mkdir()
    warm = Warm(folder / "said")
    site = Site(warm, folder)
    random_ = random.Random(seed)
    try:
        at = time.monotonic()
        assert site.start(folder / "undisturbed").outcome().code == 0
        span = time.monotonic() - at
        expected = outcomes(folder / "undisturbed")
        assert len(expected) == 4
        count: Counter[str] = Counter()
        sweeps = starts = 0
        while count.total() < kills:
            results = folder / f"disturbed{sweeps}"
            starts += _disturbed(site, results, random_, span, count, kills)
            found = outcomes(results)
            assert found == expected, f"{results}, seed {seed}: not what an undisturbed sweep gives"
            assert not (left := litter(results)), f"{results}: half-written or left: {left}"
            sweeps += 1
            print(f"{sweeps} sweeps, {starts} starts, {dict(count)}", flush=True)
    finally:
        warm.close()
    seconds = time.monotonic() - began
    return Campaign(count, sweeps, starts, len(expected) * sweeps, seconds)


def _disturbed(
    site: Site,
    results: Path,
    random_: random.Random,
    span: float,
    count: Counter[str],
    kills: int,
) -> int:
    """One results folder to its end; how many starts it took."""
    starts = 0
    code: int | None = None
    while code is None and count.total() < kills:
        running, alive = site.start(results), True
        starts += 1
        while True:
            code = running.wait(random_.uniform(0, 0.5 * span))
            whole(results)
            if code is not None or count.total() >= kills:
                break
            aim = random_.choice(AIMS)
            if not strike(running, aim):
                continue
            if aim not in ("sweep", "all"):
                count[aim] += 1
                continue
            ended, alive = running.wait(60), False
            assert ended is not None, "killed, and still there"
            whole(results)
            if ended == -signal.SIGKILL:
                count[aim] += 1
            else:  # it came to its end in the moment between
                code = ended
            break
        if code is None and alive:
            code = running.wait(120)
    for _ in range(RESUMES):
        done = site.start(results, "rerun=failed").outcome()
        starts += 1
        if done.code == 0:
            return starts
    raise AssertionError(f"{results}: it never comes to its end: {done}")


def strike(running: Running, aim: str) -> bool:
    """Whether there was something to kill."""
    try:
        sweep = psutil.Process(running.pid)
        family = sweep.children(recursive=True)
    except psutil.NoSuchProcess:
        return False
    units = [process for process in family if process.ppid() == running.pid]
    workers = [process for process in family if process not in units]
    victims = {"sweep": [sweep], "unit": units[:1], "worker": workers[:1], "all": [sweep, *family]}
    for process in victims[aim]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return bool(victims[aim])


def whole(results: Path) -> None:
    """Whatever is there under its final name is whole, at any moment."""
    for path in record_files(results):
        assert status_of(path) in ("done", "failed")
    assert len(list(read_records(results))) <= 4
    for path in (*results.glob("states/*.safetensors"), *results.glob("pretrained/*.safetensors")):
        load_state(path)
    for path in results.glob("predictions/*/*.npz"):
        assert np.load(path)["label"].dtype == np.uint8


def outcomes(results: Path) -> dict[str, Any]:
    """All that a repeatable unit gives twice: everything but times."""
    return {record.key: _outcome(results, record) for record in read_records(results)}


def _outcome(results: Path, record: Record) -> dict[str, Any]:
    free: Any = {"seconds", "overshoot_seconds", "waited_seconds", "reused"}
    assert record.files.predictions is not None
    assert record.files.state is not None
    return {
        "status": record.status,
        "reason": record.reason,
        "request": record.request.model_dump(),
        "pretraining": record.pretraining and record.pretraining.model_dump(exclude=free),
        "adaptation": record.adaptation.model_dump(exclude=free),
        "curve": [point.model_dump(exclude=free) for point in record.curve],
        "cases": [case.model_dump(exclude=free) for case in record.cases],
        "predictions": {
            case.case: np.load(results / record.files.predictions / f"{case.case}.npz")[
                "label"
            ].tobytes()
            for case in record.cases
        },
        "state": {
            name: np.asarray(value).tobytes()
            for name, value in load_state(results / record.files.state).items()
        },
    }


def litter(results: Path) -> list[str]:
    """What should not be there once all is done."""
    left = [*results.rglob("*.tmp"), *results.glob(".units/*"), *results.rglob("*.saved.*")]
    return sorted(str(path.relative_to(results)) for path in left)


def main() -> None:
    given = dict(word.split("=") for word in sys.argv[1:])
    seed = int(given.get("seed", 0)) or int.from_bytes(os.urandom(3), "big")
    print(f"seed={seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="sambench-kills-") as folder:
        print(campaign(Path(folder), kills=int(given.get("kills", 200)), seed=seed))


if __name__ == "__main__":
    main()
