"""What a method hands back, held against the contract."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.contract import Volume
from bench.unit.handed import read_handed

LONGEST_HEADER = 4096
"""Bytes of a .npy file before its array; 128 where nobody meddles."""


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
    said = facts["shape"]
    shape = tuple(said) if isinstance(said, list | tuple) else said
    if shape != volume.image.shape:
        raise PredictionError(
            f"{where} has shape {shape}; the volume's own grid is {volume.image.shape}"
        )
    if facts["dtype"] != "uint8":
        raise PredictionError(f"{where} has dtype {facts['dtype']}; labels are uint8")


def check_prediction(
    facts: Mapping[str, Any], folder: Path, volume: Volume, classes: int
) -> np.ndarray:
    """The label map that a worker left in its folder."""
    check_facts(facts, volume)
    size = volume.image.size
    content = read_handed(folder / "out" / "prediction.npy", most=size + LONGEST_HEADER)
    try:
        prediction = _parsed(content, volume)
    except ValueError as error:
        raise PredictionError(f"predict({volume.case}) left no label map: {error}") from error
    return checked(prediction, volume, classes)


def _parsed(content: bytes, volume: Volume) -> np.ndarray:
    """The array of a .npy file. No memory is taken for what its header only says."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("it is no .npy file of version 1")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    voxels = np.frombuffer(content, np.uint8, offset=file.tell())
    if (shape, dtype, voxels.size) != (volume.image.shape, np.uint8, volume.image.size):
        raise ValueError(f"its file holds {dtype} {shape} in {voxels.size} bytes")
    found: np.ndarray = voxels.reshape(shape, order="F" if fortran else "C").copy()
    return found


def check_unchanged(
    state: str, now: str, before: np.ndarray, after: np.ndarray, case: str, tolerated: float
) -> None:
    """Hashes of the method's state, and its label maps of one case, before and after the test set.
    `tolerated`: share of voxels in which two predictions of one volume may differ."""
    if now != state:
        raise PredictionError(
            "predict changed the method's state (its state_dict after the test set is not that "
            "of before): work on a copy, and keep networks in eval mode"
        )
    changed = int((before != after).sum())
    if changed > tolerated * before.size:
        raise PredictionError(
            f"predict({case}) gave another answer after the other volumes had been predicted "
            f"({changed} voxels differ): predict must not learn"
        )
