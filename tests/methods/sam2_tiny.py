"""Methods on `sam2:nano` at 64 px, and volumes of a disk and a ring for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.contract import Volume
from bench.registry import discover, load
from tests.methods.tiny import backbone, options, setting, volume

SIZE = 64


def sam2_method(name: str, cache: Path, *, classes: int = 2, **changes: Any) -> Any:
    """The method with the card's defaults and these changes, on the CPU."""
    torch.manual_seed(0)
    found, card = discover().method(name)
    known = card.options
    small = {"image_size": SIZE, "dino_size": SIZE}
    given = {key: value for key, value in {**small, **changes}.items() if key in known}
    assert set(changes) <= set(given)
    chosen = options(name, **given)
    where = replace(setting(classes), backbone=backbone(name, chosen), cache=cache)
    return load(found)(chosen, where)


def disks(patient: str, *, depth: int = 4, seed: int = 0, side: int = 48) -> Volume:
    """A bright disk (class 1) beside a dark one (class 2); the dark one is not in the last slice,
    neither is in the first."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    label = np.zeros((depth, side, side), np.uint8)
    for z in range(1, depth):
        row = side // 2 + random.integers(-5, 6)
        near = np.hypot(rows - row, columns - side // 4) < side / 6
        far = np.hypot(rows - row, columns - 3 * side // 4) < side / 7
        label[z][near] = 1
        if z < depth - 1:
            label[z][far] = 2
    image = np.choose(label, [0.4, 0.9, 0.05]) + random.normal(0, 0.02, label.shape)
    return replace(volume(label, image=image.astype(np.float32), case=patient), patient=patient)


def as_patient(given: Volume, patient: str) -> Volume:
    """The same image of somebody else, without its label."""
    return Volume(patient, patient, given.image, given.spacing)
