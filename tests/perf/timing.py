"""The clock of the benchmarks."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def timed(work: Callable[[], object]) -> float:
    """Seconds of it, with all that it left to a GPU."""
    _waited()
    began = time.perf_counter()
    work()
    _waited()
    return time.perf_counter() - began


def _waited() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()
