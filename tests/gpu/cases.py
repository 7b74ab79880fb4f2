"""What is measured: encoders without, and methods' steps with a backward pass. Random weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from bench.contract import Task, Volume
from bench.models.checkpoints import card_of
from bench.models.sam import make_sam
from bench.models.sam.encoder import encode as encode_sam
from bench.models.sam2 import make_sam2
from bench.models.sam2.encode import encode as encode_sam2
from bench.registry import discover, load
from bench.worker.clock import MethodClock
from tests.gpu.measuring import Figure, measure
from tests.methods.tiny import options, setting


@dataclass(frozen=True)
class Sizes:
    """sam, sam2  checkpoint names; sides  of the images, in pixels"""

    sam: str
    sam2: str
    sides: tuple[int, ...]
    unet_sides: tuple[int, ...]
    batch: int
    unet_batch: int
    product: int


FULL = Sizes("vit_b", "hiera_base_plus", (512, 1024), (512, 1024), 8, 16, 8192)
SMALL = Sizes("nano", "nano", (64, 128), (64,), 2, 2, 256)


def figures(device: str, precision: str, sizes: Sizes) -> Iterator[Callable[[], Figure]]:
    """Each in turn, so that whoever measures can stop in between."""
    for side in sizes.sides:
        yield lambda side=side: _sam(device, precision, sizes, side)
        yield lambda side=side: _sam2(device, precision, sizes, side)
        yield lambda side=side: _step("samed", device, sizes.batch, sizes.sam, image_size=side)
    for side in sizes.unet_sides:
        yield lambda side=side: _step("unet", device, sizes.unet_batch, None, size=side)


def _images(side: int, batch: int, device: str) -> torch.Tensor:
    return torch.randn(batch, 3, side, side, device=device)


def _sam(device: str, precision: str, sizes: Sizes, side: int) -> Figure:
    encoder = make_sam(card_of("sam", sizes.sam), image_size=side).image_encoder
    encoder = encoder.to(device).eval().requires_grad_(False)
    images = _images(side, sizes.batch, device)
    return measure(
        f"encode, sam {sizes.sam}, {side} px, batch {sizes.batch}",
        lambda: encode_sam(encoder, images, precision=precision),  # type: ignore[arg-type]
        images=sizes.batch,
        device=device,
    )


def _sam2(device: str, precision: str, sizes: Sizes, side: int) -> Figure:
    sam2 = make_sam2(card_of("sam2", sizes.sam2), image_size=side)
    sam2 = sam2.to(device).eval().requires_grad_(False)
    images = _images(side, sizes.batch, device)
    return measure(
        f"encode, sam2 {sizes.sam2}, {side} px, batch {sizes.batch}",
        lambda: encode_sam2(sam2, images, precision=precision),  # type: ignore[arg-type]
        images=sizes.batch,
        device=device,
    )


def _step(name: str, device: str, batch: int, sam: str | None, **changes: Any) -> Figure:
    """A training step as a unit takes it: views, forward, backward, optimiser."""
    found, _ = discover().method(name)
    given = options(name, batch=batch, **changes)
    here = replace(setting(2), device=device, backbone={} if sam is None else {"sam": sam})
    torch.manual_seed(0)
    with patch("methods.samed.method.build_sam", _random_sam):
        method = load(found)(given, here)
    [side] = changes.values()
    task = Task(
        setting=here,
        support=(_volume(side, 2 * batch),),
        unlabelled=(),
        scratch=Path("nothing is written"),
    )
    # A budget that is never spent: every step is pulled by hand.
    steps = method.adapt(task, MethodClock(seconds_limit=None, steps_limit=1000))
    with closing(steps):
        return measure(
            f"training step, {name}{f' {sam}' if sam else ''}, {side} px, batch {batch}",
            lambda: next(steps),
            images=batch,
            device=device,
        )


def _random_sam(card: Any, *, image_size: int, device: Any, cache: Any) -> Any:
    """In place of the one that reads a checkpoint."""
    return make_sam(card, image_size=image_size).to(device)


def _volume(side: int, slices: int) -> Volume:
    """Two squares on noise."""
    random = np.random.default_rng(0)
    label = np.zeros((slices, side, side), np.uint8)
    part = side // 4
    label[:, part : 2 * part, part : 2 * part] = 1
    label[:, 2 * part : 3 * part, part : 2 * part] = 2
    image = (label + random.normal(0, 0.1, label.shape)).astype(np.float32)
    return Volume("c", "c", image, (1.0, 1.0, 1.0), label, tuple(range(slices)))
