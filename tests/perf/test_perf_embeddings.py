"""An epoch of decoder training on kept embeddings against the same with the encoder in it.

SAM ViT-B with random weights: speed does not depend on their values. Both sides train the same
decoder on the same slices in the same order, in turns; the cache is warm on one side.
"""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from bench.contract import Volume
from bench.data.slices import Canvas
from bench.models.checkpoints import card_of
from bench.models.checkpoints.normalise import normalise
from bench.models.embeddings import EmbeddingCache, Recipe, volume_inputs
from bench.models.sam import make_sam
from bench.train.losses import cross_entropy_squared_dice
from tests.perf.timing import DEVICE, timed

SIZE = 512
SLICES = 64 if DEVICE == "cuda" else 4
BATCH = 8 if DEVICE == "cuda" else 4
ROUNDS = 5 if DEVICE == "cuda" else 3
RECIPE = Recipe(checkpoint="random", size=SIZE, precision="fp32")


class Bench:
    """A SAM, a volume and its labels; an epoch with the encoder or with its kept output."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        self.card = card_of("sam", "vit_b")
        self.sam = make_sam(self.card, image_size=SIZE).to(DEVICE)
        self.sam.image_encoder.requires_grad_(False).eval()
        shape = (SLICES, 400, 380)
        image = np.random.default_rng(0).uniform(0, 1000, shape).astype(np.float16)
        self.volume = Volume("c", "p", image, (1.0, 1.0, 1.0))
        self.labels = torch.randint(0, 3, (SLICES, SIZE // 4, SIZE // 4), device=DEVICE)
        self.optimiser = torch.optim.AdamW(self.sam.mask_decoder.parameters(), lr=1e-4)
        self.cache = EmbeddingCache(folder, device=DEVICE)

    @torch.inference_mode()
    def encode(self, images: Tensor) -> Tensor:
        grey = normalise(images.to(DEVICE).expand(-1, 3, -1, -1), self.card)
        output: Tensor = self.sam.image_encoder(grey)
        return output

    def step(self, embeddings: Tensor, chosen: list[int]) -> None:
        """The decoder without prompts, on one embedding after the other as the package has it."""
        sparse, dense = self.sam.prompt_encoder(points=None, boxes=None, masks=None)
        masks = [
            self.sam.mask_decoder(
                image_embeddings=embedding[None],
                image_pe=self.sam.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=True,
            )[0]
            for embedding in embeddings
        ]
        loss = cross_entropy_squared_dice(torch.cat(masks), self.labels[chosen])
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()

    def epoch_without(self) -> None:
        inputs = volume_inputs(self.volume, Canvas(SIZE))
        for start in range(0, SLICES, BATCH):
            chosen = list(range(start, start + BATCH))
            self.step(self.encode(inputs.load(chosen)).clone(), chosen)

    def epoch_with(self) -> None:
        """All of it: hashing, finding, checking, reading, and the same steps."""
        kept = self.find()
        for start in range(0, SLICES, BATCH):
            chosen = list(range(start, start + BATCH))
            self.step(kept.take(chosen).to(DEVICE).float(), chosen)

    def find(self):  # type: ignore[no-untyped-def]
        inputs = volume_inputs(self.volume, Canvas(SIZE))
        return self.cache.embed(self.encode, inputs, recipe=RECIPE, batch=BATCH)


def test_epoch_on_kept_embeddings(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cold = timed(bench.find)
    bench.step(bench.find().take([0]).to(DEVICE).float(), [0])  # warms the decoder up
    pairs = [(timed(bench.epoch_without), timed(bench.epoch_with)) for _ in range(ROUNDS)]
    benchmark.pedantic(bench.epoch_with, rounds=1)
    without, kept = (statistics.median(side) for side in zip(*pairs, strict=True))
    benchmark.extra_info["slices"] = SLICES
    benchmark.extra_info["epoch ratio"] = round(statistics.median(a / b for a, b in pairs), 1)
    benchmark.extra_info["epoch uncached_s"] = round(without, 3)
    benchmark.extra_info["epoch ours_s"] = round(kept, 3)
    benchmark.extra_info["epoch filling_s"] = round(cold, 3)
    assert (
        F.l1_loss(  # the decoder saw the same on both sides
            bench.find().take([0]).float(), bench.encode(first_slice(bench)).cpu().half().float()
        )
        < 1e-2
    )
    assert kept < without


def first_slice(bench: Bench) -> Tensor:
    return volume_inputs(bench.volume, Canvas(SIZE)).load([0])


def test_hit(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """Seconds a slice of (256, 32, 32): hash, find, check, read; and without the hash."""
    cache = EmbeddingCache(tmp_path, device="cpu")
    image = np.random.default_rng(0).uniform(0, 1000, (100, 512, 512)).astype(np.float16)
    volume = Volume("c", "p", image, (1.0, 1.0, 1.0))
    output = torch.randn(1, 256, 32, 32)

    def encode(images: Tensor) -> Tensor:
        return output.expand(len(images), -1, -1, -1)

    def hit() -> None:
        inputs = volume_inputs(volume, Canvas(SIZE))
        cache.embed(encode, inputs, recipe=RECIPE).take()

    inputs = volume_inputs(volume, Canvas(SIZE))
    kept = cache.embed(encode, inputs, recipe=RECIPE)
    known = [timed(lambda: cache.embed(encode, inputs, recipe=RECIPE)) for _ in range(5)]
    taken = [timed(kept.take) for _ in range(5)]
    benchmark.pedantic(hit, rounds=5)
    stats = benchmark.stats.stats  # type: ignore[union-attr]
    benchmark.extra_info["hit_per_slice_s"] = round(stats.median / 100, 6)
    benchmark.extra_info["found_per_slice_s"] = round(statistics.median(known) / 100, 6)
    benchmark.extra_info["taken_per_slice_s"] = round(statistics.median(taken) / 100, 6)
    assert stats.median / 100 < 0.05


def test_kept_cost_of_a_miss(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """What hashing, writing and reading back add to a miss, a slice of (256, 32, 32)."""
    output = torch.randn(1, 256, 32, 32)

    def encode(images: Tensor) -> Tensor:
        return output.expand(len(images), -1, -1, -1)

    random = np.random.default_rng(0)
    image = random.uniform(0, 1000, (32, 512, 512)).astype(np.float16)
    volume = Volume("c", "p", image, (1.0, 1.0, 1.0))
    resized = timed(lambda: volume_inputs(volume, Canvas(SIZE)).load(range(32)))

    def miss(folder: Path) -> None:
        cache = EmbeddingCache(folder, device="cpu")
        cache.embed(encode, volume_inputs(volume, Canvas(SIZE)), recipe=RECIPE)

    folders = iter(range(100))
    benchmark.pedantic(lambda: miss(tmp_path / str(next(folders))), rounds=3)
    stats = benchmark.stats.stats  # type: ignore[union-attr]
    added = (stats.median - resized) / 32
    benchmark.extra_info["added_per_slice_s"] = round(added, 5)
    assert added < 0.1  # seconds; ViT-B takes more than that on any CPU
