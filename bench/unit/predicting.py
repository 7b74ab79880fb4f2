"""What a method hands back, held against the contract."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.contract import Volume


class PredictionError(RuntimeError):
    """The method broke the contract; the message says how."""


def checked(prediction: Any, volume: Volume, classes: int) -> np.ndarray:
    """(D, H, W) uint8 on the volume's grid with values 0 .. classes, or PredictionError."""
    if not isinstance(prediction, np.ndarray):
        check_facts({"type": type(prediction).__name__}, volume)
    check_facts({"shape": prediction.shape, "dtype": str(prediction.dtype)}, volume)
    top = int(prediction.max(initial=0))
    if top > classes:
        raise PredictionError(
            f"predict({volume.case}) holds label {top}; there are {classes} classes"
        )
    found: np.ndarray = prediction
    return found


def check_facts(facts: Mapping[str, Any], volume: Volume) -> None:
    """facts: `type` of what is no array; else `shape` and `dtype`."""
    where = f"predict({volume.case})"
    if "type" in facts:
        raise PredictionError(f"{where} returned {facts['type']}, not a numpy array")
    if tuple(facts["shape"]) != volume.image.shape:
        raise PredictionError(
            f"{where} has shape {tuple(facts['shape'])}; the volume's own grid is "
            f"{volume.image.shape}"
        )
    if facts["dtype"] != "uint8":
        raise PredictionError(f"{where} has dtype {facts['dtype']}; labels are uint8")


def check_prediction(
    facts: Mapping[str, Any], folder: Path, volume: Volume, classes: int
) -> np.ndarray:
    """The label map that a worker left in its folder. Read whole: it may still write to it."""
    check_facts(facts, volume)
    try:
        prediction = np.load(folder / "out" / "prediction.npy", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise PredictionError(f"predict({volume.case}) left no label map: {error}") from error
    return checked(prediction, volume, classes)
