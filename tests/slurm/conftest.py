"""A real Slurm on this machine, as `.ci/slurm start` sets it up; and tiny volumes to run on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench.record.schema import Record
from bench.record.store import read_records
from tests.conftest import ROOT, starts_of
from tests.volumes import make_volumes

HOME = Path(os.environ.get("SAMBENCH_SLURM") or Path(tempfile.gettempdir()) / "sambench-slurm")


@pytest.fixture(scope="session")
def slurm() -> Iterator[Path]:
    """The folder of that Slurm. Never a cluster that somebody works on: only our own will do."""
    configuration = HOME / "slurm.conf"
    if shutil.which("squeue") is None or not configuration.is_file():
        pytest.skip("no Slurm of our own on this machine: .ci/slurm start")
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(configuration)
    try:
        done = subprocess.run(["sinfo", "-h", "-N", "-t", "idle,alloc,mix"], capture_output=True)
        if done.returncode or not done.stdout:
            pytest.skip(f"the Slurm in {HOME} does not answer, or its nodes are down")
        yield HOME
    finally:
        if before is None:
            del os.environ["SLURM_CONF"]
        else:
            os.environ["SLURM_CONF"] = before


@pytest.fixture(scope="session")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve patients of three slices each, in nnU-Net's layout: a unit on them takes seconds."""
    return make_volumes(tmp_path_factory.mktemp("volumes") / "Dataset001_tiny")


@dataclass
class Site:
    """A results folder, and commands that are typed in it."""

    results: Path
    words: tuple[str, ...]
    shells: list[subprocess.Popen[str]] = field(default_factory=list)

    def starts(self) -> list[int]:
        """The step at which each start of a unit began, oldest first."""
        return starts_of(self.results)

    def shell(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench", *words, f"results={self.results}"],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.shells.append(process)
        return process

    def run(self, *words: str) -> subprocess.Popen[str]:
        """`run`, on tiny volumes with a toy that prints where each start begins."""
        return self.shell("run", *self.words, *words)

    def here(self, *words: str) -> subprocess.Popen[str]:
        """The same without Slurm."""
        mine = [word for word in self.words if not word.startswith("executor")]
        return self.shell("run", *mine, "executor=local", *words)

    def records(self) -> list[Record]:
        return list(read_records(self.results))

    def files(self) -> list[Path]:
        return list(self.results.glob("records/*/*/[!.]*.json"))


MakeSite = Callable[[], Site]


@pytest.fixture(scope="session")
def make_site(
    slurm: Path, volumes: Path, toys: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeSite]:
    shared = tmp_path_factory.mktemp("shared")
    sites: list[Site] = []

    def make() -> Site:
        words = (
            *("method=resumes", "dataset=folder", f"dataset.root={volumes}", "shots=1", "draw=0"),
            *("budget=steps-100", "budget.probes=0", "method.steps=100", f"data.cache={shared}"),
            *("executor=slurm", "executor.cpus=1", "executor.partition=main"),
            *("--include", str(toys)),
        )
        sites.append(Site(tmp_path_factory.mktemp("site"), words))
        return sites[-1]

    yield make
    for site in sites:
        for process in site.shells:
            process.kill()
            process.wait()
    subprocess.run(["scancel", "--partition=main,urgent"], check=False)


def wait_for(what: Callable[[], object], *, seconds: float = 400, reason: str = "") -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, reason or "it did not come"
        time.sleep(0.2)
