"""What a method may hand back, and what is said about the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bench.contract import Volume
from bench.unit.predicting import PredictionError, checked

VOLUME = Volume("c1", "p1", np.zeros((2, 3, 4), np.float32), (3.0, 1.0, 1.0))


def test_a_right_label_map_passes_as_it_is() -> None:
    labels = np.array([0, 1, 2] * 8, np.uint8).reshape(2, 3, 4)
    assert checked(labels, VOLUME, classes=2) is labels
    assert checked(np.zeros((2, 3, 4), np.uint8), VOLUME, classes=1).sum() == 0


@pytest.mark.parametrize(
    ("prediction", "problem"),
    [
        (None, "returned NoneType, not a numpy array"),
        (torch.zeros(2, 3, 4, dtype=torch.uint8), "returned Tensor, not a numpy array"),
        (
            np.zeros((3, 4, 2), np.uint8),
            r"has shape \(3, 4, 2\); the volume's own grid is \(2, 3, 4\)",
        ),
        (np.zeros((2, 3), np.uint8), r"has shape \(2, 3\); the volume's own grid is \(2, 3, 4\)"),
        (np.zeros((2, 3, 4), np.int64), "has dtype int64; labels are uint8"),
        (np.zeros((2, 3, 4), bool), "has dtype bool; labels are uint8"),
        (np.full((2, 3, 4), 3, np.uint8), "holds label 3; there are 2 classes"),
        (np.full((2, 3, 4), 255, np.uint8), "holds label 255; there are 2 classes"),
    ],
)
def test_the_rest_is_named(prediction: Any, problem: str) -> None:
    with pytest.raises(PredictionError, match=rf"^predict\(c1\) {problem}$"):
        checked(prediction, VOLUME, classes=2)
