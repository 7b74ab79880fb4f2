"""The few-shot decoder on `sam:nano` at 64 px, and collections whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from methods.fewshot_decoder.collection import Slice, View
from methods.fewshot_decoder.method import FewshotDecoder
from methods.fewshot_decoder.targets import TARGET, Target
from tests.methods.tiny import options, setting

SIZE, WIDTH = 64, 128


def fewshot(cache: Path, *, seed: int = 0, classes: int = 2, **changes: Any) -> FewshotDecoder:
    """The card's defaults with two copies a slice and these changes."""
    torch.manual_seed(seed)
    given = {"image_size": SIZE, "copies": 2, **changes}
    here = replace(setting(classes), backbone={"sam": "nano"}, cache=cache)
    return FewshotDecoder(options("fewshot_decoder", **given), here)


def target(value: float, *, count: int = 1, width: int = 2) -> Target:
    """`count` tokens, all `value`."""
    return Target(torch.full((count, width), value), torch.full((count,), TARGET))


class Kept:
    """An embedding that is nothing but its own name."""

    def __init__(self, name: float) -> None:
        self.arrays = {"embedding": torch.full((2, 4, 4), name).numpy()}
        self.seconds = 0.0


def slice_of(name: float, classes: tuple[int, ...], *, patient: str = "p", views: int = 3) -> Slice:
    """Its first view's tokens are `name`, those of its copies a tenth more each."""
    found = []
    for copy in range(views):
        own = name + copy / 10
        labels = torch.zeros(8, 8, dtype=torch.uint8)
        for value in classes:
            labels[value] = value
        found.append(View(Kept(own), labels, {value: target(own) for value in classes}))  # type: ignore[arg-type]
    angle = torch.tensor(name)
    return Slice(patient, classes, torch.stack([angle.cos(), angle.sin()]), found)
