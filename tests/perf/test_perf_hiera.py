"""SAM 2.1's encoder against the package's own, in turns in one run: time and peak memory, Hiera-T.

make bench runs this; `benchmark.extra_info` holds the figures. A ratio is the package's time, or
its memory, by ours. Both sides give the three maps that the mask decoder takes. Peaks are those of
a process of its own for each side; the imports and the weights are in them on both sides, and the
peak of a process that does nothing more is told beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from bench.models.checkpoints import card_of
from bench.models.lora import add_lora
from bench.models.sam2 import make_sam2
from bench.models.sam2.encode import encode
from tests.perf.peaks import peak
from tests.perf.timing import paired

Side = Callable[[Any, Tensor], list[Tensor]]
ROUNDS = 3

# One side alone.
PEAK = """
import sys
from tests.perf.test_perf_hiera import hiera_t, run, sides
import torch
side, size, batch, precision, trained = sys.argv[1], *map(int, sys.argv[2:4]), *sys.argv[4:]
sam2, images = hiera_t(size, trained=trained == "1"), torch.randn(batch, 3, size, size)
if side != "nothing":
    run(sides(precision)[side], sam2, images, trained=trained == "1")
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
    maps: dict[str, list[Tensor]] = {}

    def keep(name: str, side: Side) -> None:
        maps[name] = run(side, sam2, images, trained=trained)

    calls = {name: partial(keep, name, side) for name, side in sides(precision).items()}
    paired(benchmark, calls, rounds=ROUNDS, warm=1)
    for found, expected in zip(maps["ours"], maps["package"], strict=True):
        apart = (found - expected).abs().max() / expected.abs().max()
        assert apart < (1e-5 if precision == "fp32" else 0.1)
    info = benchmark.extra_info
    info["threads"] = torch.get_num_threads()
    words = (size, batch, precision, int(trained))
    peaks = {side: peak(PEAK, side, *words) for side in (*calls, "nothing")}
    info["peak memory ratio"] = round(peaks["package"] / peaks["ours"], 2)
    for side, value in peaks.items():
        info[f"peak {side}_MiB"] = round(value)
