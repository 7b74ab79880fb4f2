"""Fixtures that every area may use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

# Two workers share two cores: torch's own threads would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A job in the background of a shell ignores Ctrl-C, and so would every program that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# pytest tests/faults -k fuzz --hypothesis-profile=long: thousands of new inputs instead of the same
# few dozen.
settings.register_profile("long", max_examples=3000, deadline=None)

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest module first, so that nobody waits for it alone at the end. Tests marked `shared`
    need real volumes that no checkout holds."""
    items.sort(key=lambda item: "test_conformance" not in item.nodeid)
    if SHARED.is_dir():
        return
    absent = pytest.mark.skip(reason="the local real volumes (../shared/data) are absent")
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(absent)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real labelled volumes; only for tests marked `shared`."""
    return SHARED


@pytest.fixture(scope="session")
def project_root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def toys() -> Path:
    """Methods that fail, cheat or overrun, each in its own way: for --include."""
    return ROOT / "tests" / "toys"


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that all tests of a worker share, so that data is converted once."""
    return tmp_path_factory.mktemp("cache")


@dataclass(frozen=True)
class Outcome:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


Bench = Callable[..., Outcome]
WITH_CACHE = ("run", "prepare", "demo", "doctor", "check")
"""Verbs that take data.cache."""


def starts_of(results: Path) -> list[int]:
    """The step at which each start of the toy `resumes` began, oldest first, by the units' logs."""
    logs = [log.read_text(errors="replace") for log in sorted(results.glob("logs/*.log"))]
    lines = [line for log in logs for line in log.splitlines()]
    return [int(line.split()[-1]) for line in lines if line.startswith("begins at step ")]


@pytest.fixture(scope="session")
def bench(cache: Path) -> Bench:
    """`bench("run", "method=unet", ...)`: the command line in a process of its own, on the CPU."""

    def call(*words: str, cwd: Path = ROOT, timeout: float = 300) -> Outcome:
        extra = [f"data.cache={cache}"] if words[0] in WITH_CACHE else []
        done = subprocess.run(
            [sys.executable, "-m", "bench", *words, *extra],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call
