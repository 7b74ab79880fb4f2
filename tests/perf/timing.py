"""The clock of the benchmarks."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch
from pytest_benchmark.fixture import BenchmarkFixture

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


def paired(
    benchmark: BenchmarkFixture,
    sides: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    warm: int,
) -> None:
    """ "ours" and "package" in turns; median seconds and CPU seconds of each, and their ratios."""
    wall: dict[str, list[float]] = {name: [] for name in sides}
    used: dict[str, list[float]] = {name: [] for name in sides}

    def both() -> None:
        for name, side in sides.items():
            start, start_used = time.perf_counter(), time.process_time()
            side()
            wall[name].append(time.perf_counter() - start)
            used[name].append(time.process_time() - start_used)

    benchmark.pedantic(both, rounds=rounds, warmup_rounds=warm)
    info = benchmark.extra_info
    for what, times in (("time", wall), ("CPU time", used)):
        ours, package = (statistics.median(times[side][warm:]) for side in ("ours", "package"))
        info[f"{what} ratio"] = round(package / ours, 2)
        for side, seconds in (("ours", ours), ("package", package)):
            info[f"{what} {side}_s"] = float(f"{seconds:.3g}")
