"""The command line on a machine that has GPUs, as far as it can tell: `tests/pretend_cuda`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from bench.record.schema import Record
from bench.record.store import read_records
from tests.conftest import ROOT, Outcome
from tests.pretend_cuda.environment import environment

TINY = ("dataset=folder", "shots=1", "draw=0", "backbone=nano")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The thorough cases run where they are asked for: -m thorough."""
    if "thorough" in (config.option.markexpr or ""):
        return
    left = [item for item in items if item.get_closest_marker("thorough")]
    items[:] = [item for item in items if item not in left]
    config.hook.pytest_deselected(items=left)


@pytest.fixture(scope="session")
def installable() -> None:
    """Skips, with the reason, where torch is another one than the pinned one."""
    from tests.pretend_cuda.version import refusal

    problem = refusal()
    if problem is not None:
        pytest.skip(problem)


@pytest.fixture(scope="session")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven patients of five slices of 40 pixels; a bright disc that moves."""
    return make_volumes(tmp_path_factory.mktemp("volumes") / "discs", slices=5)


@pytest.fixture(scope="session")
def deep_volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with sixteen slices: what passes through a network at once is large beside it."""
    return make_volumes(tmp_path_factory.mktemp("volumes") / "deep", slices=16)


def make_volumes(root: Path, *, slices: int) -> Path:
    rows, columns = np.mgrid[:40, :40]
    chance = np.random.default_rng(0)
    for patient in range(7):
        labels = np.stack(
            [
                (rows - 14 - patient) ** 2 + (columns - 18 - z) ** 2 < (5 + z % 3) ** 2
                for z in range(slices)
            ]
        ).astype(np.uint8)
        image = (labels * 60 + chance.normal(60, 8, labels.shape)).astype(np.float32)
        for folder, voxels in (("imagesTr", image), ("labelsTr", labels)):
            path = root / folder / f"p{patient}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            sitk.WriteImage(sitk.GetImageFromArray(voxels), str(path))
    (root / "dataset.json").write_text(
        json.dumps({"channel_names": {"0": "MR"}, "labels": {"background": 0, "disc": 1}})
    )
    return root


@dataclass(frozen=True)
class Gpus:
    """Runs commands where there are pretend GPUs."""

    volumes: Path
    cache: Path

    def words(self, *words: str) -> list[str]:
        given = list(words)
        if words[0] == "run":
            said = {word.partition("=")[0] for word in words}
            given += [word for word in TINY if word.partition("=")[0] not in said]
            given += [] if "dataset.root" in said else [f"dataset.root={self.volumes}"]
        if words[0] in ("run", "doctor", "predict") and "data.cache=" not in " ".join(words):
            given.append(f"data.cache={self.cache}")
        return [sys.executable, "-m", "bench", *given]

    def __call__(self, *words: str, timeout: float = 600, **machine: Any) -> Outcome:
        """machine: as `environment` takes it; `extra` are further variables."""
        extra = machine.pop("extra", {})
        done = subprocess.run(
            self.words(*words),
            cwd=ROOT,
            env={**environment(**machine), **extra},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        return Outcome(done.returncode, done.stdout, done.stderr)

    def stopped(self, *words: str, when: Callable[[], bool], **machine: Any) -> int:
        """The exit code of a command that gets Ctrl-C as soon as `when` is true."""
        process = subprocess.Popen(
            self.words(*words),
            cwd=ROOT,
            env=environment(**machine),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 300
        while not when() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        return process.wait(timeout=120)


@pytest.fixture(scope="session")
def gpus(installable: None, volumes: Path, tmp_path_factory: pytest.TempPathFactory) -> Gpus:
    return Gpus(volumes, tmp_path_factory.mktemp("gpu-cache"))


def found(results: Path) -> dict[str, Record]:
    """Method -> its only record."""
    return {record.request.method: record for record in read_records(results)}
