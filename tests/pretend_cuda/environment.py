"""What makes a process, and those it starts, see pretend GPUs: for tests that start one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .version import PINNED, pinned_version

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
REAL = "SAMBENCH_REAL_CUDA"
FIRST = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]


def real_device() -> bool:
    """`make gpu`: the tests run on the card that is there."""
    return os.environ.get(REAL) == "1"


def environment(
    *,
    count: int = 1,
    capability: str = "8.0",
    gigabytes: float = 40,
    counts: Path | None = None,
    blind: bool = False,
) -> dict[str, str]:
    """count GPUs of that compute capability and memory.

    counts  a file to which each process adds a line of JSON when it ends: `counting.py`
    blind   the driver's tools are there, and torch cannot use the driver: no pretend device at all
    """
    if real_device():
        if (count, capability, gigabytes, counts, blind) != (1, "8.0", 40, None, False):
            pytest.skip("asks for a machine that only the pretend device can be")
        return {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": FIRST}
    parts = [str(HERE / "boot"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    given = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(part for part in parts if part),
        "PATH": os.pathsep.join([str(HERE / "boot"), os.environ.get("PATH", "")]),
        "PRETEND_CUDA_COUNT": "0" if blind else str(count),
        "PRETEND_CUDA_CAPABILITY": capability,
        "PRETEND_CUDA_GB": str(gigabytes),
        "OMP_NUM_THREADS": "1",
        PINNED: pinned_version(),
    }
    given.pop("CUDA_VISIBLE_DEVICES", None)
    if counts is not None:
        given["PRETEND_CUDA_COUNTS"] = str(counts)
    return given
