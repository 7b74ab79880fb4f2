"""SAM 2.1's encoder against the package's own, in turns in one run: time and peak memory, Hiera-T.

make bench runs this; `benchmark.extra_info` holds the figures. A ratio is the package's time, or
its memory, by ours. Both sides give the three maps that the mask decoder takes. Peaks are those of
a process of its own for each side; the imports and the weights are in them on both sides, and the
peak of a process that does nothing more is told beside them.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from bench.models.checkpoints import card_of
from bench.models.lora import add_lora
from bench.models.sam2 import make_sam2
from bench.models.sam2.encode import encode

Side = Callable[[Any, Tensor], list[Tensor]]
ROUNDS = 3

# One side alone, in a fresh process: its peak, in MiB. Linux's own count of this program: ru_maxrss
# would begin at the peak of the process that started it.
PEAK = """
import sys
from pathlib import Path
from tests.perf.test_perf_hiera import hiera_t, run, sides
import torch
side, size, batch, precision, trained = sys.argv[1], *map(int, sys.argv[2:4]), *sys.argv[4:]
sam2, images = hiera_t(size, trained=trained == "1"), torch.randn(batch, 3, size, size)
if side != "nothing":
    run(sides(precision)[side], sam2, images, trained=trained == "1")
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) / 1024)
"""


def hiera_t(size: int, *, trained: bool = False) -> Any:
    """Random weights; `trained`: LoRA on q and v, all else frozen."""
    sam2 = make_sam2(card_of("sam2", "hiera_tiny"), image_size=size).eval().requires_grad_(False)
    if trained:
        add_lora(sam2.image_encoder)
    return sam2


def sides(precision: str) -> dict[str, Side]:
    """Both encoders, each as it is used: the package's under the same autocast."""

    def package(sam2: Any, images: Tensor) -> list[Tensor]:
        trained = any(parameter.requires_grad for parameter in sam2.image_encoder.parameters())
        kept = nullcontext() if trained else torch.inference_mode()
        cast = torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else nullcontext()
        with kept, cast:
            return list(sam2.forward_image(images)["backbone_fpn"])

    def ours(sam2: Any, images: Tensor) -> list[Tensor]:
        return list(vars(encode(sam2, images, precision=precision)).values())  # type: ignore[arg-type]

    return {"ours": ours, "package": package}


def run(side: Side, sam2: Any, images: Tensor, *, trained: bool) -> list[Tensor]:
    maps = side(sam2, images)
    if trained:
        torch.stack([value.sum() for value in maps]).sum().backward()
    return maps


def peak(side: str, size: int, batch: int, precision: str, trained: bool) -> float:
    words = [side, str(size), str(batch), precision, str(int(trained))]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *words],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


@pytest.mark.parametrize(
    ("size", "batch", "precision", "trained"),
    [
        pytest.param(512, 8, "fp32", False, id="512 batch 8 fp32 forward"),
        pytest.param(1024, 1, "fp32", False, id="1024 fp32 forward"),
        pytest.param(1024, 1, "bf16", False, id="1024 bf16 forward"),
        pytest.param(1024, 1, "fp32", True, id="1024 fp32 forward and backward"),
    ],
)
def test_hiera_t(
    benchmark: BenchmarkFixture, size: int, batch: int, precision: str, trained: bool
) -> None:
    sam2, images = hiera_t(size, trained=trained), torch.randn(batch, 3, size, size)
    wall: dict[str, list[float]] = {"ours": [], "package": []}
    used: dict[str, list[float]] = {"ours": [], "package": []}
    maps: dict[str, list[Tensor]] = {}

    def both() -> None:
        for name, side in sides(precision).items():
            start, start_used = time.perf_counter(), time.process_time()
            maps[name] = run(side, sam2, images, trained=trained)
            wall[name].append(time.perf_counter() - start)
            used[name].append(time.process_time() - start_used)

    benchmark.pedantic(both, rounds=ROUNDS, warmup_rounds=1)
    for found, expected in zip(maps["ours"], maps["package"], strict=True):
        apart = (found - expected).abs().max() / expected.abs().max()
        assert apart < (1e-5 if precision == "fp32" else 0.1)
    info = benchmark.extra_info
    info["threads"] = torch.get_num_threads()
    for what, times in (("time", wall), ("CPU time", used)):
        # The first round is the warm-up.
        ours, package = (statistics.median(times[side][1:]) for side in ("ours", "package"))
        info[f"{what} ratio"] = round(package / ours, 2)
        info[f"{what} ours_s"], info[f"{what} package_s"] = round(ours, 3), round(package, 3)
    peaks = {side: peak(side, size, batch, precision, trained) for side in (*wall, "nothing")}
    info["peak memory ratio"] = round(peaks["package"] / peaks["ours"], 2)
    for side, value in peaks.items():
        info[f"peak {side}_MiB"] = round(value)
