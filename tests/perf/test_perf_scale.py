"""A hundred thousand units: `plan`, `resume`, `status`, `ls` are linear, and quick enough."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

FEW, MANY = 10_000, 100_000
LINEAR = 1.4
"""Most by which a unit of many may cost more than a unit of few."""
LIMITS = {"plan": 60.0, "resume": 30.0, "status": 60.0, "ls": 60.0}


def measure(verb: str, units: int, folder: Path, root: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.perf.scale", verb, str(units), str(folder)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def folders(
    tmp_path_factory: pytest.TempPathFactory, project_root: Path
) -> Iterator[dict[int, Path]]:
    """Results folders of few and of many records, on one prepared dataset."""
    found = {count: tmp_path_factory.mktemp(f"scale{count}") for count in (FEW, MANY)}
    for count, folder in found.items():
        measure("generate", count, folder, project_root)
    yield found
    for folder in found.values():
        shutil.rmtree(folder)


@pytest.mark.parametrize("verb", sorted(LIMITS))
def test_scale(
    benchmark: BenchmarkFixture,
    folders: dict[int, Path],
    project_root: Path,
    tmp_path: Path,
    verb: str,
) -> None:
    """CPU seconds are compared: they say the same on a busy machine."""

    def folder(count: int) -> Path:
        """`plan` is of a request that nobody has run."""
        if verb != "plan":
            return folders[count]
        (tmp_path / "cache").exists() or (tmp_path / "cache").symlink_to(folders[count] / "cache")
        return tmp_path

    few = measure(verb, FEW, folder(FEW), project_root)
    many = benchmark.pedantic(lambda: measure(verb, MANY, folder(MANY), project_root), rounds=1)
    benchmark.extra_info[f"of {MANY} units s"] = many["cpu"]
    benchmark.extra_info[f"of {MANY} units wall s"] = many["seconds"]
    benchmark.extra_info[f"of {MANY} units MiB"] = many["MiB"]
    benchmark.extra_info[f"of {FEW} units s"] = few["cpu"]
    benchmark.extra_info[f"of {FEW} units MiB"] = few["MiB"]
    assert many["cpu"] < LIMITS[verb]
    assert many["cpu"] < LINEAR * MANY / FEW * few["cpu"]
    assert many["MiB"] < 4096
