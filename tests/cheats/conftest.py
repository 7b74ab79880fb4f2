"""Cheating and broken methods, run from the command line on tiny volumes."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from bench.record.schema import Record
from bench.record.store import read_records
from tests.conftest import ROOT, Outcome
from tests.volumes import make_volumes

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Every cheat alone: where that is asked for by its marker, -m long."""
    if "long" in (config.option.markexpr or ""):
        return
    left = [item for item in items if item.get_closest_marker("long")]
    items[:] = [item for item in items if item not in left]
    if left:
        config.hook.pytest_deselected(items=left)


SHARED_MEMORY = Path("/dev/shm/sambench-tests-cheats")


@dataclass(frozen=True)
class Cheats:
    """`run` and `check` with the methods of this folder.

    volumes  the user's own folder, with its labels
    """

    volumes: Path
    cache: Path

    def run(self, *methods: str, results: Path, words: tuple[str, ...] = ()) -> Outcome:
        """Twelve steps, one draw, twice as many looks as a thief needs."""
        return self.bench(
            *("run", f"method={','.join(methods)}", "shots=1", "draw=0", "backbone=nano"),
            *("budget=steps-100", "budget.steps=12", "budget.probes=2", "executor.threads=1"),
            *("dataset=folder", f"dataset.root={self.volumes}", f"results={results}", "device=cpu"),
            *words,
        )

    def check(self, method: str, *words: str, **environment: str) -> Outcome:
        chosen = (f"method={method}", "device=cpu", "backbone=nano")
        return self.bench("check", *chosen, *words, **environment)

    def bench(self, *words: str, **environment: str) -> Outcome:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "bench", *words, f"data.cache={self.cache}"),
                *("--include", str(HERE)),
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=600,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        return Outcome(done.returncode, done.stdout, done.stderr)


def records_of(results: Path) -> dict[str, Record]:
    found = {record.request.method: record for record in read_records(results)}
    assert len(found) == len(list(read_records(results))), "nothing double"
    return found


def scores(record: Record) -> list[Any]:
    """All that says how good the method was, by whole voxels: distances differ in their last bits
    by where an array happens to lie in memory."""
    return [
        (case.case, name, score.tp, score.fp, score.fn)
        for case in record.cases
        for name, score in case.classes.items()
    ]


def dice(record: Record) -> float:
    return float(np.mean([case.classes["gland"].dice or 0.0 for case in record.cases]))


@pytest.fixture(scope="session")
def cheats(tmp_path_factory: pytest.TempPathFactory) -> Cheats:
    root = tmp_path_factory.mktemp("cheats")
    return Cheats(make_volumes(root / "volumes"), root / "cache")


@pytest.fixture(scope="session")
def keeper(cheats: Cheats, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A process of this user that has all labels, and tells them to whoever asks."""
    labels = {}
    for path in sorted((cheats.volumes / "labelsTr").glob("*.nii.gz")):
        file = io.BytesIO()
        label = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        np.save(file, label.astype(np.uint8))
        labels[path.name.removesuffix(".nii.gz")] = file.getvalue().hex()
    # A socket's path may have 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="keeper-"))
    tcp, udp = (_free_port(kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM))
    process = subprocess.Popen(
        [
            *(sys.executable, str(HERE / "keeper.py"), f"tcp={tcp}", f"udp={udp}"),
            *(f"unix={folder / 'socket'}", f"abstract=sambench-{os.getpid()}"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(labels) + "\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ready\n"
    yield
    process.stdin.close()
    process.wait(30)
    shutil.rmtree(folder)


def _free_port(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as line:
        line.bind(("127.0.0.1", 0))
        return int(line.getsockname()[1])


@pytest.fixture(scope="session")
def left_behind(cheats: Cheats, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A results folder in which a method that has the labels, by its card, kept its predictions; it
    also left them where others could look."""
    results = tmp_path_factory.mktemp("stolen")
    done = cheats.run("steals_leaves", results=results, words=("keep=predictions",))
    assert done.code == 0, done
    yield results
    shutil.rmtree(SHARED_MEMORY, ignore_errors=True)
