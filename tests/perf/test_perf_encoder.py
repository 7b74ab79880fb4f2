"""SAM's encoder against the package's own, in turns in one run: seconds and peak memory, ViT-B.

make bench runs this; `benchmark.extra_info` holds the figures. A ratio is the package's time, or
its memory, by ours. Peaks are those of a process of its own for each side; the imports and the
weights are in them on both sides.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from segment_anything.modeling import ImageEncoderViT

from bench.models.checkpoints import card_of
from bench.models.lora import add_lora
from bench.models.sam import make_sam
from bench.models.sam.encoder import encode

Side = Callable[[ImageEncoderViT, torch.Tensor], torch.Tensor]
ROUNDS = 3
"""After a warm-up. What takes a minute is measured once, and is its own warm-up."""

# One side alone, in a fresh process: its peak, in MiB. Linux's own count of this program: ru_maxrss
# would begin at the peak of the process that started it.
PEAK = """
import sys
from pathlib import Path
from tests.perf.test_perf_encoder import sides, vit_b
import torch
size, batch, precision, trained = *map(int, sys.argv[2:4]), sys.argv[4], sys.argv[5] == "1"
encoder, images = vit_b(size, trained=trained), torch.randn(batch, 3, size, size)
out = sides(precision)[sys.argv[1]](encoder, images)
if trained:
    out.sum().backward()
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) / 1024)
"""


def vit_b(size: int, *, trained: bool = False) -> ImageEncoderViT:
    """Random weights; `trained`: LoRA on q and v, all else frozen."""
    encoder = make_sam(card_of("sam", "vit_b"), image_size=size).image_encoder
    encoder.eval().requires_grad_(False)
    if trained:
        add_lora(encoder)
    return encoder


def sides(precision: str) -> dict[str, Side]:
    """Both encoders, each as it is used: the package's under the same autocast."""

    def package(encoder: ImageEncoderViT, images: torch.Tensor) -> torch.Tensor:
        trained = any(parameter.requires_grad for parameter in encoder.parameters())
        kept = nullcontext() if trained else torch.inference_mode()
        cast = torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else nullcontext()
        with kept, cast:
            return encoder(images)

    return {
        "ours": lambda encoder, images: encode(encoder, images, precision=precision),
        "package": package,
    }


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
        pytest.param(512, 1, "fp32", False, id="512 fp32 forward"),
        pytest.param(512, 1, "bf16", False, id="512 bf16 forward"),
        pytest.param(512, 1, "fp32", True, id="512 fp32 forward and backward"),
        pytest.param(512, 8, "fp32", False, id="512 batch 8 fp32 forward"),
        pytest.param(512, 8, "bf16", False, id="512 batch 8 bf16 forward"),
        pytest.param(512, 8, "fp32", True, id="512 batch 8 fp32 forward and backward"),
        pytest.param(1024, 1, "fp32", False, id="1024 fp32 forward"),
        pytest.param(1024, 1, "bf16", False, id="1024 bf16 forward"),
        pytest.param(1024, 1, "fp32", True, id="1024 fp32 forward and backward"),
        pytest.param(1024, 8, "bf16", False, id="1024 batch 8 bf16 forward"),
    ],
)
def test_vit_b(
    benchmark: BenchmarkFixture, size: int, batch: int, precision: str, trained: bool
) -> None:
    # Peaks first: a process of its own for each side, while this one is small.
    peaks = {side: peak(side, size, batch, precision, trained) for side in sides(precision)}
    encoder, images = vit_b(size, trained=trained), torch.randn(batch, 3, size, size)
    wall: dict[str, list[float]] = {"ours": [], "package": []}
    used: dict[str, list[float]] = {"ours": [], "package": []}

    def both() -> None:
        for name, side in sides(precision).items():
            start, start_used = time.perf_counter(), time.process_time()
            out = side(encoder, images)
            if trained:
                out.sum().backward()
            wall[name].append(time.perf_counter() - start)
            used[name].append(time.process_time() - start_used)

    warm = int(batch == 1 and not (size == 1024 and trained))
    benchmark.pedantic(both, rounds=ROUNDS if warm else 1, warmup_rounds=warm)
    info = benchmark.extra_info
    for what, times in (("time", wall), ("CPU time", used)):
        ours, package = (statistics.median(times[side][warm:]) for side in ("ours", "package"))
        info[f"{what} ratio"] = round(package / ours, 2)
        info[f"{what} ours_s"], info[f"{what} package_s"] = round(ours, 3), round(package, 3)
    info["peak memory ratio"] = round(peaks["package"] / peaks["ours"], 2)
    info["peak memory ours_MiB"] = round(peaks["ours"])
    info["peak memory package_MiB"] = round(peaks["package"])
