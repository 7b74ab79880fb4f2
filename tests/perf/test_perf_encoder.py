"""SAM's encoder against the package's own, in turns in one run: seconds and peak memory, ViT-B.

make bench runs this; `benchmark.extra_info` holds the figures. A ratio is the package's time, or
its memory, by ours. Peaks are those of a process of its own for each side; the imports and the
weights are in them on both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from segment_anything.modeling import ImageEncoderViT

from bench.models.checkpoints import card_of
from bench.models.lora import add_lora
from bench.models.sam import make_sam
from bench.models.sam.encoder import encode
from tests.perf.peaks import peak
from tests.perf.timing import paired

Side = Callable[[ImageEncoderViT, torch.Tensor], torch.Tensor]
ROUNDS = 3
"""After a warm-up. What takes a minute is measured once, and is its own warm-up."""

# One side alone.
PEAK = """
import sys
from tests.perf.test_perf_encoder import sides, vit_b
import torch
size, batch, precision, trained = *map(int, sys.argv[2:4]), sys.argv[4], sys.argv[5] == "1"
encoder, images = vit_b(size, trained=trained), torch.randn(batch, 3, size, size)
out = sides(precision)[sys.argv[1]](encoder, images)
if trained:
    out.sum().backward()
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
    words = (size, batch, precision, int(trained))
    peaks = {side: peak(PEAK, side, *words) for side in sides(precision)}
    encoder, images = vit_b(size, trained=trained), torch.randn(batch, 3, size, size)

    def run(side: Side) -> None:
        out = side(encoder, images)
        if trained:
            out.sum().backward()

    warm = int(batch == 1 and not (size == 1024 and trained))
    calls = {name: partial(run, side) for name, side in sides(precision).items()}
    paired(benchmark, calls, rounds=ROUNDS if warm else 1, warm=warm)
    info = benchmark.extra_info
    info["peak memory ratio"] = round(peaks["package"] / peaks["ours"], 2)
    info["peak memory ours_MiB"] = round(peaks["ours"])
    info["peak memory package_MiB"] = round(peaks["package"])
