"""Sweeps that start in milliseconds, and a disk that is full, or may only be read."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.data.ready import Ready, make_ready
from bench.registry import discover
from tests.conftest import ROOT, Outcome
from tests.faults.patients import make_mine
from tests.faults.warm import Running, Warm
from tests.volumes import make_volumes


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long cases run where they are asked for by their marker: -m long."""
    if "long" in (config.option.markexpr or ""):
        return
    left = [item for item in items if item.get_closest_marker("long")]
    items[:] = [item for item in items if item not in left]
    if left:
        config.hook.pytest_deselected(items=left)


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """Commands forked from a process that has imported everything."""
    process = Warm(tmp_path_factory.mktemp("said"))
    yield process
    process.close()


@dataclass(frozen=True)
class Sweeps:
    """`run` on tiny volumes, a few steps a unit."""

    warm: Warm
    volumes: Path
    cache: Path

    @property
    def data(self) -> tuple[str, ...]:
        return ("dataset=folder", f"dataset.root={self.volumes}", f"data.cache={self.cache}")

    def words(self, *words: str, results: Path) -> tuple[str, ...]:
        """Later words count more than those that every sweep begins with."""
        first = (
            *("shots=1", "draw=0", "budget=steps-100", "budget.steps=12", "budget.probes=0"),
            *("executor.threads=1", f"results={results}", *self.data),
        )
        given = {word.partition("=")[0] for word in words}
        kept = [word for word in first if word.partition("=")[0] not in given]
        return ("run", *kept, *words, "--include", str(ROOT / "tests" / "toys"))

    def __call__(self, *words: str, results: Path, **more: Any) -> Outcome:
        return self.warm(*self.words(*words, results=results), **more)

    def start(self, *words: str, results: Path, **more: Any) -> Running:
        return self.warm.start(*self.words(*words, results=results), **more)


@pytest.fixture(scope="session")
def sweeps(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Sweeps:
    root = tmp_path_factory.mktemp("tiny")
    found = Sweeps(warm, make_volumes(root / "volumes"), root / "cache")
    assert warm("prepare", *found.data).code == 0
    return found


@dataclass(frozen=True)
class Disk:
    """A small file system in memory."""

    path: Path

    def leave(self, pages: int) -> None:
        """Only so many pages of 4096 bytes can still be written."""
        filler = self.path / ".filler"
        filler.unlink(missing_ok=True)
        free = os.statvfs(self.path).f_bfree
        filler.write_bytes(bytes(4096 * max(0, free - pages)))

    def clear(self) -> None:
        (self.path / ".filler").unlink(missing_ok=True)

    def protect(self, *, on: bool = True) -> None:
        """It may only be read."""
        how = "remount,ro" if on else "remount,rw"
        subprocess.run(["mount", "-o", how, str(self.path)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """2 MB that are really a disk of their own; only root can make one."""
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    yield Disk(path)
    subprocess.run(["umount", "--lazy", str(path)], check=True)


NO_ROOM = "No space left on device"


def litter(folder: Path) -> list[str]:
    """Half-written files that a reader or a later run would stumble over."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.tmp"))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return make_mine(tmp_path / "volumes")


@pytest.fixture
def ready(mine: Path, tmp_path: Path) -> Callable[..., Ready]:
    """ready(hash_ids=True, ...): the prepared copy."""

    def call(**data: Any) -> Ready:
        given = {"root": None, "cache": str(tmp_path / "cache"), "partial": False}
        options = {"root": str(mine), "channel": 0}
        return make_ready(discover(), "folder", options, {**given, "skip_bad": False, **data})

    return call
