"""HSSL pulled by hand on slices of 32 px and 4 channels: the specification's network for tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from bench.contract import Progress, Task, Volume
from bench.unit.clock import BudgetClock
from methods.hssl.method import HSSL
from tests.methods.sam_tiny import NANO
from tests.methods.tiny import blind, options, setting, volume

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
        "image_size": str(SIDE),
        "pretrain_size": str(SIDE),
        "width": "4",
        "pretrain_batch": "4",
        "decoder_batch": 4,
        "batch": 4,
        "precision": "fp32",
        **changes,
    }
    if small.get("apply_to") == "sam_lora":
        small.update(image_size="64", pretrain_size=changes.get("pretrain_size", "64"))
    return HSSL(options("hssl", **small), replace(setting(1), backbone={**NANO, "dino": "nano"}))


def phase(
    verb: Literal["pretrain", "adapt"],
    method: HSSL,
    volumes: Sequence[Volume],
    *,
    steps: int | None,
    pretrained: Mapping[str, Any] | None = None,
) -> Iterator[Progress]:
    """Pre-training or fine-tuning until it or its budget of steps ends."""
    task = Task(
        setting=setting(1),
        support=() if verb == "pretrain" else tuple(volumes),
        unlabelled=tuple(replace(blind(v), dataset=v.dataset) for v in volumes),
        scratch=Path("nothing is written"),
        pretrained=pretrained,
    )
    clock = BudgetClock(seconds_limit=None, steps_limit=steps)
    for progress in getattr(method, verb)(task, clock):
        clock.count(progress)
        yield progress
        if clock.spent:
            return


def several() -> list[Volume]:
    """Two volumes of each of three datasets; two of them are one group of the table."""
    return [drawn(n, dataset=d) for d in ("acdc", "la2018", "promise12") for n in (1, 2)]


def pretrained(steps: int = 6, **changes: Any) -> dict[str, Any]:
    method = hssl(**changes)
    list(phase("pretrain", method, several(), steps=steps))
    return dict(method.state_dict())
