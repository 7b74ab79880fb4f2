"""A laboratory of small drawn volumes, on which whole units run in a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.check.lab import Lab
from bench.contract import Volume
from bench.registry import discover

BACKBONE = {"name": "nano", "sam": "nano", "sam2": "nano", "dino": "nano"}
MakeLab = Callable[..., Lab]


def drawn(number: int) -> Volume:
    """A bright block of class 1 on noise, with a brighter core of class 2."""
    random = np.random.default_rng(number)
    label = np.zeros((6, 20, 24), dtype=np.uint8)
    label[1:5, 4:16, 3 + number : 15 + number] = 1
    label[2:4, 8:12, 7 + number : 11 + number] = 2
    image = random.normal(0, 0.1, label.shape) + label
    return Volume(
        case=f"case{number}",
        patient=f"patient{number}",
        image=image.astype(np.float32),
        spacing=(3.0, 1.0, 1.0),
        label=label,
        labelled_slices=tuple(range(6)),
    )


@pytest.fixture
def make_lab(toys: Path, tmp_path: Path) -> MakeLab:
    def make(method: str, **options: object) -> Lab:
        return Lab(
            registry=discover([toys]),
            method=method,
            options=options,
            backbone=BACKBONE,
            folder=tmp_path,
            volumes=tuple(drawn(number) for number in range(5)),
            classes=("block", "core"),
            modality="drawn",
            device="cpu",
        )

    return make
