"""What a method hands back, held against the contract."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.contract import Volume


class PredictionError(RuntimeError):
    """The method broke the contract; the message says how."""


def checked(prediction: Any, volume: Volume, classes: int) -> np.ndarray:
    """(D, H, W) uint8 on the volume's grid with values 0 .. classes, or PredictionError."""
    where = f"predict({volume.case})"
    if not isinstance(prediction, np.ndarray):
        raise PredictionError(f"{where} returned {type(prediction).__name__}, not a numpy array")
    if prediction.shape != volume.image.shape:
        raise PredictionError(
            f"{where} has shape {prediction.shape}; the volume's own grid is {volume.image.shape}"
        )
    if prediction.dtype != np.uint8:
        raise PredictionError(f"{where} has dtype {prediction.dtype}; labels are uint8")
    top = int(prediction.max(initial=0))
    if top > classes:
        raise PredictionError(f"{where} holds label {top}; there are {classes} classes")
    return prediction
