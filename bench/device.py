"""Which device a run uses, and what CPU there is. torch is imported only where a GPU may be."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from bench.errors import RequestError, unknown


def resolve_device(given: str) -> str:
    """ "auto" is a CUDA device where torch sees one, else the CPU."""
    if given == "cpu":
        return "cpu"
    if given.split(":")[0] not in ("auto", "cuda"):
        raise unknown("device", given, ["auto", "cpu", "cuda"])
    has_driver = shutil.which("nvidia-smi") is not None or Path("/dev/nvidia0").exists()
    if given == "auto" and not has_driver:
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda" if given == "auto" else given
    if given == "auto":
        return "cpu"
    raise RequestError(f"device={given}: torch {torch.__version__} sees no CUDA device here")


def cpu_name() -> str:
    """The processor as the system calls it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Cores that this process may use: a container or a cluster's job often has a part of them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
