"""Milliseconds a slice of retrieval's memory route against the package's own video predictor.

The same work: a query slice is segmented for every class with the masks of its k neighbours. The
predictor is given them as a video, supports before the query, and starts anew for every query,
because every query has other neighbours; ours has remembered the support once. Finding the
neighbours is on neither side. A ratio is the package's time by ours, in turns in one run.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from bench.models.checkpoints import card_of
from bench.models.sam2 import make_sam2
from bench.models.sam2.encode import encode
from bench.models.sam2.pool import Pool, remember_labels
from bench.models.sam2.recall import recall

ROUNDS, QUERIES, CLASSES = 3, 3, 2


def network(name: str, size: int) -> Any:
    torch.manual_seed(0)
    return make_sam2(card_of("sam2", name), image_size=size).eval().requires_grad_(False)


def drawn(size: int, count: int) -> tuple[Tensor, Tensor]:
    """Noise and a square of each class, somewhere else on each slice."""
    torch.manual_seed(1)
    labels = torch.zeros(count, size, size, dtype=torch.uint8)
    side = size // 4
    for n in range(count):
        top = n % 8 * size // 16
        labels[n, top : top + side, :side] = 1
        labels[n, top : top + side, 2 * side : 3 * side] = 2
    return torch.randn(count, 3, size, size), labels


@torch.inference_mode()
def pooled(sam2: Any, images: Tensor, labels: Tensor) -> Pool:
    return remember_labels(sam2, encode(sam2, images), labels, classes=CLASSES, patient="support")


@torch.inference_mode()
def ours(sam2: Any, pool: Pool, queries: Tensor, k: int) -> Tensor:
    """(Q, CLASSES, S / 4, S / 4), the whole batch of a volume's slices at once."""
    chosen = [[tuple(range(k))] * CLASSES] * len(queries)
    return recall(sam2, encode(sam2, queries), chosen, pool).logits


@torch.inference_mode()
def packaged(
    sam2: Any, images: Tensor, labels: Tensor, queries: Tensor, k: int, monkeypatch: Any
) -> Tensor:
    found = []
    for query in queries:
        video = torch.cat([images[:k], query[None]])
        size = video.shape[-1]
        monkeypatch.setattr(
            "sam2.sam2_video_predictor.load_video_frames",
            lambda frames=video, size=size, **_: (frames, size, size),
        )
        state = sam2.init_state("no file")
        for frame in range(k):
            for kind in range(1, CLASSES + 1):
                sam2.add_new_mask(state, frame, kind, labels[frame] == kind)
        *_, (_, _, logits) = sam2.propagate_in_video(state, start_frame_idx=k)
        found.append(logits[:, 0])
    return torch.stack(found)


@pytest.mark.parametrize("k", [1, 4, 16])
@pytest.mark.parametrize(
    ("name", "size"),
    [pytest.param("nano", 256, id="nano 256"), pytest.param("hiera_tiny", 256, id="Hiera-T 256")],
)
def test_retrieval(
    benchmark: BenchmarkFixture, monkeypatch: pytest.MonkeyPatch, name: str, size: int, k: int
) -> None:
    sam2 = network(name, size)
    (images, labels), (queries, _) = drawn(size, k), drawn(size, QUERIES)
    pool = pooled(sam2, images, labels)
    sides = {
        "ours": lambda: ours(sam2, pool, queries, k),
        "package": lambda: packaged(sam2, images, labels, queries, k, monkeypatch),
    }
    wall: dict[str, list[float]] = {side: [] for side in sides}
    used: dict[str, list[float]] = {side: [] for side in sides}
    logits: dict[str, Tensor] = {}

    def both() -> None:
        for side, run in sides.items():
            start, start_used = time.perf_counter(), time.process_time()
            logits[side] = run()
            wall[side].append(time.perf_counter() - start)
            used[side].append(time.process_time() - start_used)

    benchmark.pedantic(both, rounds=ROUNDS, warmup_rounds=1)
    full = torch.nn.functional.interpolate(logits["ours"], size=(size, size), mode="bilinear")
    apart = (full - logits["package"]).abs().max() / logits["package"].abs().max()
    assert apart < 0.02
    info = benchmark.extra_info
    info["threads"] = torch.get_num_threads()
    for what, times in (("time", wall), ("CPU time", used)):
        middle = {side: statistics.median(times[side][1:]) / QUERIES for side in sides}
        info[f"{what} ratio"] = round(middle["package"] / middle["ours"], 2)
        for side in sides:
            info[f"{what} {side}_ms/slice"] = round(middle[side] * 1000, 1)
