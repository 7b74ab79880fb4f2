"""`ls` and `--help` against the start of Python with yaml: nothing heavy may creep in."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

ROUNDS = 7


def seconds(*arguments: str, root: Path) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=root, check=True, capture_output=True)
    return time.perf_counter() - start


@pytest.mark.parametrize("verb", ["ls", "--help"])
def test_light_verbs(benchmark: BenchmarkFixture, project_root: Path, verb: str) -> None:
    """At most 1.5 times `python -c "import yaml"` plus 0.2 s."""
    pairs = [
        (
            seconds("-m", "bench", verb, root=project_root),
            seconds("-c", "import yaml", root=project_root),
        )
        for _ in range(ROUNDS)
    ]
    ours, bare = (statistics.median(times) for times in zip(*pairs, strict=True))
    benchmark.extra_info["of import yaml ratio"] = round(bare / ours, 2)
    benchmark.extra_info["of import yaml ours_s"] = round(ours, 3)
    benchmark.extra_info["of import yaml reference_s"] = round(bare, 3)
    benchmark.pedantic(lambda: seconds("-m", "bench", verb, root=project_root), rounds=1)
    assert ours <= 1.5 * bare + 0.2
