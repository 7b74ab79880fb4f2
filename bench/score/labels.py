"""What a label map and a list of classes may look like; everything else is a clear error."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from bench.errors import RequestError
from bench.protocol import UNLABELLED

BACKGROUND = 0

LabelMap = npt.NDArray[np.uint8]
Name = TypeVar("Name", str, int)
Classes = Mapping[Name, int] | Sequence[Name]


def class_labels(classes: Classes[Name]) -> dict[Name, int]:
    """Class -> label value.

    A sequence of names numbers them from 1 on, a mapping gives the values, and a sequence of
    whole numbers holds label values that are their own names.
    """
    if isinstance(classes, str) or not isinstance(classes, Mapping | Sequence):
        raise RequestError(
            f"classes is {classes!r}: give a list of names, a mapping of name to label value,"
            " or a list of label values"
        )
    labels: dict[Name, Any]
    if isinstance(classes, Mapping):
        labels = dict(classes)
    elif all(isinstance(name, str) for name in classes):
        labels = {name: value for value, name in enumerate(classes, start=1)}
    else:
        labels = {name: name for name in classes}
    if not labels:
        raise RequestError("classes is empty: name at least one foreground class")
    if not isinstance(classes, Mapping) and len(labels) != len(classes):
        raise RequestError(f"classes names one class twice: {list(classes)}")
    for name, value in labels.items():
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or not BACKGROUND < value < UNLABELLED:
            raise RequestError(
                f"class {name!r} has the label value {value!r}: give a whole number from 1 to"
                f" {UNLABELLED - 1} ({BACKGROUND} is background, {UNLABELLED} is not labelled)"
            )
    if len(set(labels.values())) != len(labels):
        raise RequestError(f"two classes share one label value: {labels}")
    return {name: int(value) for name, value in labels.items()}


def label_maps(prediction: npt.ArrayLike, reference: npt.ArrayLike) -> tuple[LabelMap, LabelMap]:
    """Both arrays as uint8 label maps on one grid; shape (D, H, W) or any other."""
    pair = (_as_label_map("prediction", prediction), _as_label_map("reference", reference))
    if pair[0].shape != pair[1].shape:
        raise RequestError(
            f"prediction has shape {pair[0].shape}, reference has {pair[1].shape}:"
            " bring the prediction back to the image's own grid before scoring"
        )
    return pair


def check_spacing(spacing: Sequence[float], shape: tuple[int, ...]) -> tuple[float, ...]:
    """Spacing in mm as floats, one for each axis of `shape`."""
    try:
        values = tuple(float(value) for value in spacing)
    except (TypeError, ValueError):
        values = ()
    good = len(values) == len(shape) and all(math.isfinite(v) and v > 0 for v in values)
    if not good:
        raise RequestError(
            f"spacing is {spacing!r}: give {len(shape)} positive finite numbers in mm,"
            f" one for each axis of shape {shape}"
        )
    return values


def _as_label_map(which: str, values: npt.ArrayLike) -> LabelMap:
    array = np.asarray(values)
    if array.size == 0 or array.ndim == 0:
        raise RequestError(f"{which} has shape {array.shape}: there is no voxel to score")
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.view(np.uint8)
    if array.dtype.kind not in "iuf":
        raise RequestError(f"{which} has dtype {array.dtype}: give whole numbers, such as uint8")
    if array.dtype.kind == "f":
        _check_whole(which, array)
    low, high = array.min(), array.max()
    if low < 0 or high > UNLABELLED:
        raise RequestError(
            f"{which} has values from {low:g} to {high:g}: label values lie in 0 to {UNLABELLED}"
        )
    return array.astype(np.uint8)


def _check_whole(which: str, array: npt.NDArray[np.floating[Any]]) -> None:
    # NaN and infinity minus their floor are NaN, which is not 0: one test finds all three.
    with np.errstate(invalid="ignore"):
        odd = array[array - np.floor(array) != 0]
    if odd.size:
        raise RequestError(
            f"{which} is a float array with {odd.size} values that are no whole numbers"
            f" (first: {odd[0]:g}): threshold or argmax it into labels first"
        )
