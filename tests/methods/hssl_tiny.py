"""HSSL pulled by hand on slices of 32 px and 4 channels: the specification's network for tests."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch

from bench.contract import Volume
from methods.hssl.method import HSSL
from tests.methods import tiny
from tests.methods.tiny import backbone, options, setting, volume

SIDE = 32


def drawn(seed: int, *, dataset: str = "acdc", slices: int = 6) -> Volume:
    """A bright square (class 1) on a ground that is the dataset's: a ramp, stripes, or dots."""
    random = np.random.default_rng(seed)
    label = np.zeros((slices, SIDE, SIDE), np.uint8)
    y, x = random.integers(4, 12, 2)
    label[:, y : y + 12, x : x + 12] = 1
    place = np.arange(SIDE)
    grounds = {
        "acdc": np.broadcast_to(place / SIDE, label.shape),
        "la2018": np.broadcast_to(place // 2 % 2, label.shape),
        "promise12": random.random(label.shape) < 0.05,
    }
    ground = grounds[dataset].astype(np.float32)
    image = ground + label + random.normal(0, 0.1, label.shape)
    made = volume(label, image=image.astype(np.float32), case=f"{dataset}/{seed}")
    return replace(made, dataset=dataset)


def hssl(seed: int = 0, **changes: Any) -> HSSL:
    torch.manual_seed(seed)
    small = {
        "image_size": SIDE,
        "pretrain_size": SIDE,
        "width": 4,
        "pretrain_batch": 4,
        "decoder_batch": 4,
        "batch": 4,
        "precision": "fp32",
        **changes,
    }
    if small.get("apply_to") == "sam_lora":
        small.update(image_size=64, pretrain_size=changes.get("pretrain_size", 64))
    chosen = options("hssl", **small)
    return HSSL(chosen, replace(setting(1), backbone=backbone("hssl", chosen)))


phase = partial(tiny.phase, classes=1)


def several() -> list[Volume]:
    """Two volumes of each of three datasets; two of them are one group of the table."""
    return [drawn(n, dataset=d) for d in ("acdc", "la2018", "promise12") for n in (1, 2)]


def pretrained(steps: int = 6, **changes: Any) -> dict[str, Any]:
    method = hssl(**changes)
    list(phase("pretrain", method, several(), steps=steps))
    return dict(method.state_dict())
