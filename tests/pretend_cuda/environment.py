"""What makes a process, and those it starts, see pretend GPUs: for tests that start one."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


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
    parts = [str(HERE / "boot"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    given = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(part for part in parts if part),
        "PATH": os.pathsep.join([str(HERE / "boot"), os.environ.get("PATH", "")]),
        "PRETEND_CUDA_COUNT": "0" if blind else str(count),
        "PRETEND_CUDA_CAPABILITY": capability,
        "PRETEND_CUDA_GB": str(gigabytes),
        "OMP_NUM_THREADS": "1",
    }
    given.pop("CUDA_VISIBLE_DEVICES", None)
    if counts is not None:
        given["PRETEND_CUDA_COUNTS"] = str(counts)
    return given
