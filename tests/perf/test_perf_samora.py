"""SAMora against SAMed, and against the structure of the published code, in turns in one run.

make bench runs this; `benchmark.extra_info` holds the figures. All weights are random: none of
these times depends on them. Peaks are those of a process of its own for each side, imports and
weights included on all sides.

- A step: the same slices, decoder and loss; SAMed's LoRA against SAMora's fused experts.
- The published structure: windows padded before everything, the package's attention called four
  times a block, full-width HL-Attn; against ours with the same modules and so the same numbers.
- A volume: slices one at a time, each zoomed by cubic splines to the input and its classes back to
  the nearest pixel, in float32; against `predict_slices`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from scipy.ndimage import zoom
from torch import Tensor, nn

from bench.contract import Volume
from bench.data.intensity import normalised
from bench.data.slices import Canvas
from bench.models.checkpoints import card_of
from bench.models.checkpoints.fill import freeze
from bench.models.experts import FusedEncoder, add_experts
from bench.models.hooks import Hooks
from bench.models.lora import use_lora
from bench.models.sam import make_sam
from bench.models.sam.decoder import PromptFreeDecoder
from bench.models.sam.encoder import Site, encode, sites
from bench.models.sam.entry import sam_entry
from bench.models.sam.lora_encoder import LoraEncoder
from bench.train.losses import cross_entropy_squared_dice
from bench.train.slicewise import predict_slices
from methods.samora.parts import FusedSlices
from tests.perf.peaks import peak

EXPERTS = ("image", "patch", "pixel")
ROUNDS = 3
BATCH = 2
CLASSES = 8

# One side's step alone, in a fresh process: its peak, in MiB.
PEAK = """
import sys
import torch
from tests.perf.test_perf_samora import SIDES, network, step
torch.manual_seed(0)
side, size = sys.argv[1], int(sys.argv[2])
made = network(side, size)
for _ in range(2):
    step(made, size)
"""


class SeparateSlices(FusedSlices):
    """The published structure, on the same modules: one attention an expert, padding and all."""

    def forward(self, images: Tensor) -> Tensor:
        hooks = Hooks(attend=self.attend)
        return encode(self.fused.encoder, self.entry(images), precision="fp32", hooks=hooks)

    def attend(self, site: Site, x: Tensor) -> Tensor:
        windows, _ = site.windows(x)
        outputs = []
        for active in ([], *([name] for name in EXPERTS)):
            use_lora(self.fused.encoder, active, train=False)
            outputs.append(site.attention(windows))
        base, *experts = outputs
        tokens = torch.stack([(expert - base).flatten(1, 2) for expert in experts])
        change = self.fused.fusion[site.block](tokens).view_as(base)
        return site.join(base + change, (x.shape[1], x.shape[2]))


SIDES: dict[str, dict[str, object]] = {
    "samora": {"mode": "stable"},
    "samora exact": {"mode": "stable", "through": True},
    "samora recomputed": {"mode": "stable", "through": True, "recompute": True},
    "published": {"mode": "released", "through": True},
    "published in one call": {"mode": "released", "through": True},
}


def network(side: str, size: int, *, checkpoint: str = "vit_b") -> nn.Sequential:
    """Slices to logits, random weights, trainable as the method has it."""
    card = card_of("sam", checkpoint)
    sam = freeze(make_sam(card, image_size=size), "cpu")
    decoder = PromptFreeDecoder(sam, classes=CLASSES)
    entry = sam_entry(card, image_size=size)
    if side == "samed":
        return nn.Sequential(LoraEncoder(sam.image_encoder, entry, precision="fp32"), decoder)
    add_experts(sam.image_encoder, EXPERTS, random=True)
    fused = FusedEncoder(
        sam.image_encoder, EXPERTS, encode=encode, sites=sites(sam.image_encoder), **SIDES[side]
    )  # type: ignore[arg-type]
    kind = SeparateSlices if side == "published" else FusedSlices
    return nn.Sequential(kind(fused, entry, precision="fp32"), decoder)


def step(made: nn.Module, size: int) -> None:
    images = torch.rand(BATCH, 1, size, size)
    labels = torch.randint(0, CLASSES + 1, (BATCH, size // 4, size // 4))
    made.zero_grad(set_to_none=True)
    cross_entropy_squared_dice(made(images), labels).backward()


def in_turns(benchmark: BenchmarkFixture, calls: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Median seconds of each, after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in calls}

    def all_of_them() -> None:
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)

    benchmark.pedantic(all_of_them, rounds=ROUNDS, warmup_rounds=1)
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    benchmark.extra_info.update({f"{name}_s": round(value, 3) for name, value in medians.items()})
    return medians


@pytest.mark.parametrize("size", [224, 512])
def test_a_step_of_vit_b_beside_samed(benchmark: BenchmarkFixture, size: int) -> None:
    # First, while this process is small: the largest side alone takes gigabytes.
    peaks = {side: peak(PEAK, side, size) for side in ("samed", *SIDES)}
    made = {side: network(side, size) for side in ("samed", *SIDES)}
    took = in_turns(benchmark, {side: lambda n=net: step(n, size) for side, net in made.items()})
    info = benchmark.extra_info
    for side in SIDES:
        info[f"time of {side} / SAMed"] = round(took[side] / took["samed"], 2)
    info["ratio published / in one call"] = round(
        took["published"] / took["published in one call"], 2
    )
    info["ratio published / samora"] = round(took["published"] / took["samora"], 2)
    info.update({f"peak {side}_MiB": round(value) for side, value in peaks.items()})


def slice_by_slice(made: nn.Module, volume: Volume, size: int) -> np.ndarray:
    """As the published test loops: one slice at a time, zoomed there and back on its own."""
    height, width = volume.image.shape[1:]
    found = np.zeros(volume.image.shape, np.uint8)
    made.eval()
    for z, grey in enumerate(normalised(volume)):
        given = zoom(grey, (size / height, size / width), order=3)
        with torch.no_grad():
            logits = made(torch.from_numpy(given)[None, None].float())
        logits = nn.functional.interpolate(logits, size=(size, size), mode="bilinear")
        classes = logits.softmax(1).argmax(1)[0].numpy()
        found[z] = zoom(classes, (height / size, width / size), order=0)
    return found


def test_a_volume_of_nano(benchmark: BenchmarkFixture) -> None:
    """24 slices of 512 x 512 pixels, sam:nano at 128 px."""
    made = network("samora", 128, checkpoint="nano")
    image = np.random.default_rng(0).normal(size=(24, 512, 512)).astype(np.float32)
    volume = Volume("c", "p", image, (1.0, 1.0, 1.0))
    took = in_turns(
        benchmark,
        {
            "ours": lambda: np.copyto(
                np.empty(image.shape, np.uint8),
                predict_slices(made, volume, canvas=Canvas(128), device="cpu"),
            ),
            "slice by slice": lambda: np.copyto(
                np.empty(image.shape, np.uint8), slice_by_slice(made, volume, 128)
            ),
        },
    )
    benchmark.extra_info["ratio"] = round(took["slice by slice"] / took["ours"], 2)
