"""An epoch of the few-shot decoder on kept embeddings, against the same with the encoder in it.

Both sides are the method's own lessons, network and loss, in turns. The uncached side encodes the
slices of each step. `sam:nano` with its weights, and ViT-B with random ones: speed does not depend
on their values.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from bench.contract import Task
from bench.models.checkpoints import card_of
from bench.models.sam import make_sam
from bench.worker.clock import MethodClock
from methods.fewshot_decoder.collection import Collection
from methods.fewshot_decoder.lessons import Lessons, gathered, shots_of
from methods.fewshot_decoder.method import FewshotDecoder
from methods.fewshot_decoder.targets import operator
from tests.methods.test_unet import squares
from tests.methods.tiny import options, setting
from tests.perf.timing import DEVICE, timed

CASES = {"nano": (128, 16, 5), "vit_b": (512, 2, 2) if DEVICE == "cpu" else (1024, 16, 5)}
"""Checkpoint -> side of the input, slices, rounds."""


def random_sam(card, *, image_size, device, cache):  # type: ignore[no-untyped-def]
    """What `build_sam` gives, without a file."""
    torch.manual_seed(0)
    return make_sam(card, image_size=image_size).to(device).eval().requires_grad_(False)


class Epoch:
    """An epoch over the collection; `kept` says where its embeddings come from."""

    def __init__(self, name: str, cache: Path) -> None:
        size, slices, _ = CASES[name]
        here = replace(setting(2), backbone={"sam": name}, cache=cache, device=DEVICE)
        given = options("fewshot_decoder", image_size=size, copies=1)
        self.method = FewshotDecoder(given, here)
        self.support = squares(slices)
        encoder = self.method.encoder
        self.collection = Collection(encoder, operator("pool", clusters=4), classes=2, ring=2)
        began = time.perf_counter()
        for _ in self.collection.read([self.support], empty_share=0.25):
            pass
        self.fill = time.perf_counter() - began
        self.lessons = Lessons(
            self.collection.slices,
            shots_of(self.collection.slices, 2),
            self.method.rule,
            absent_share=0.25,
            dropout=True,
        )
        learned = [p for p in self.method.network.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(learned, lr=1e-4)
        self.images = encoder.slices(self.support).load(range(slices))

    def __call__(self, *, kept: bool) -> None:
        order = torch.arange(len(self.lessons))
        for chosen in order.split(4):
            embeddings, *rest = gathered(self.lessons.choose(chosen))
            if not kept:  # the same number of slices, through the encoder
                some = self.images[chosen % len(self.images)]
                side = self.images.shape[-1]
                embeddings = self.method.encoder.encode(some, (side, side)).clone()
            self._step(embeddings, *rest)

    def _step(self, *parts: Tensor) -> None:
        loss = self.method._loss(*(part.to(DEVICE) for part in parts))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()


@pytest.mark.parametrize("name", list(CASES))
def test_epoch_cached_against_uncached(
    benchmark: BenchmarkFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if name != "nano":  # no download: random weights, and their own name in the cache
        monkeypatch.setattr("methods.fewshot_decoder.method.build_sam", random_sam)
    assert card_of("sam", name).family == "sam"
    epoch = Epoch(name, tmp_path)
    rounds = CASES[name][2]
    epoch(kept=True)  # warms up
    pairs = [
        (timed(lambda: epoch(kept=False)), timed(lambda: epoch(kept=True))) for _ in range(rounds)
    ]
    benchmark.pedantic(lambda: epoch(kept=True), rounds=1)
    without, kept = (statistics.median(side) for side in zip(*pairs, strict=True))
    benchmark.extra_info["input_px"] = CASES[name][0]
    benchmark.extra_info["lessons"] = len(epoch.lessons)
    benchmark.extra_info["ratio"] = round(statistics.median(a / b for a, b in pairs), 2)
    benchmark.extra_info["epoch_uncached_s"] = round(without, 3)
    benchmark.extra_info["epoch_cached_s"] = round(kept, 3)
    benchmark.extra_info["fill_s"] = round(epoch.fill, 3)
    assert kept < without


def test_filling_and_training_are_told_apart(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """The whole of `adapt` on nano, cold and warm: how long a second unit on the slices takes."""
    here = replace(setting(2), backbone={"sam": "nano"}, cache=tmp_path, device=DEVICE)
    support = squares(8)
    task = Task(setting=here, support=(support,), unlabelled=(), scratch=tmp_path)

    def adapted() -> None:
        method = FewshotDecoder(options("fewshot_decoder", copies=2), here)
        clock = MethodClock(seconds_limit=None, steps_limit=10)
        for progress in method.adapt(task, clock):
            clock.count(progress)
            if clock.spent:
                return

    cold = timed(adapted)
    benchmark.pedantic(adapted, rounds=3)
    stats = benchmark.stats.stats  # type: ignore[union-attr]
    benchmark.extra_info["adapt_cold_s"] = round(cold, 3)
    benchmark.extra_info["adapt_warm_s"] = round(stats.median, 3)
    benchmark.extra_info["ratio"] = round(cold / stats.median, 2)
