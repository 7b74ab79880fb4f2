"""Every wrong input gets one line that says what is wrong and what to do."""

import re

import numpy as np
import pytest

from bench.errors import RequestError
from bench.score import count_overlap, score_case
from bench.score.labels import class_labels, label_maps

EMPTY = np.zeros((2, 3, 4), np.uint8)


def test_names_number_the_labels_from_one() -> None:
    assert class_labels(["liver", "spleen"]) == {"liver": 1, "spleen": 2}
    assert class_labels({"liver": 6, "spleen": 1}) == {"liver": 6, "spleen": 1}
    assert class_labels([3, 1]) == {3: 3, 1: 1}


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ("liver", "classes is 'liver': give a list of names"),
        (7, "classes is 7: give a list of names"),
        ([], "classes is empty: name at least one foreground class"),
        (["a", "b", "a"], "classes names one class twice: ['a', 'b', 'a']"),
        ([1, 1], "classes names one class twice: [1, 1]"),
        ([0, 1], "class 0 has the label value 0: give a whole number from 1 to 254"),
        ({"a": 255}, "class 'a' has the label value 255: give a whole number from 1 to 254"),
        ({"a": 1.0}, "class 'a' has the label value 1.0: give a whole number"),
        ({"a": True}, "class 'a' has the label value True: give a whole number"),
        (["a", 2], "class 'a' has the label value 'a': give a whole number"),
        ({"a": 1, "b": 1}, "two classes share one label value: {'a': 1, 'b': 1}"),
    ],
)
def test_wrong_classes(classes: object, message: str) -> None:
    with pytest.raises(RequestError, match=re.escape(message)):
        count_overlap(EMPTY, EMPTY, classes)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("prediction", "message"),
    [
        (EMPTY[:1], "prediction has shape (1, 3, 4), reference has (2, 3, 4): bring"),
        (EMPTY[:0], "prediction has shape (0, 3, 4): there is no voxel to score"),
        (np.uint8(1), "prediction has shape (): there is no voxel to score"),
        (EMPTY.astype(str), "prediction has dtype <U3: give whole numbers, such as uint8"),
        (EMPTY + 1j, "prediction has dtype complex128: give whole numbers, such as uint8"),
        (EMPTY + 0.5, "prediction is a float array with 24 values that are no whole numbers"),
        (EMPTY + np.nan, "no whole numbers (first: nan): threshold or argmax it into labels first"),
        (EMPTY + np.inf, "no whole numbers (first: inf)"),
        (
            EMPTY.astype(int) - 1,
            "prediction has values from -1 to -1: label values lie in 0 to 255",
        ),
        (EMPTY + 300.0, "prediction has values from 300 to 300: label values lie in 0 to 255"),
    ],
)
def test_wrong_prediction(prediction: object, message: str) -> None:
    with pytest.raises(RequestError, match=re.escape(message)):
        count_overlap(prediction, EMPTY, ["a"])  # type: ignore[arg-type]


def test_the_reference_is_named_too() -> None:
    with pytest.raises(RequestError, match=r"^reference is a float array"):
        count_overlap(EMPTY, EMPTY + 0.25, ["a"])


def test_labels_outside_of_the_classes() -> None:
    strange = EMPTY.copy()
    strange[0, 0, :2], strange[1] = 7, 9
    message = (
        "prediction has label values outside of the classes: 7 (2 voxels), 9 (12 voxels);"
        " known: 0, 1, 2. Map them to classes or to 0 first"
    )
    with pytest.raises(RequestError, match=re.escape(message)):
        count_overlap(strange, EMPTY, ["a", "b"])
    with pytest.raises(RequestError, match="reference has label values outside of the classes: 7"):
        score_case(EMPTY, strange, (1, 1, 1), ["a", "b"])


def test_many_strange_labels_are_shortened() -> None:
    strange = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    with pytest.raises(RequestError, match=re.escape("6 (1 voxels) and 17 more; known: 0, 1.")):
        count_overlap(strange, EMPTY, ["a"])


def test_only_the_reference_may_be_unlabelled() -> None:
    with pytest.raises(RequestError, match=re.escape("outside of the classes: 255 (24 voxels)")):
        count_overlap(np.full_like(EMPTY, 255), np.full_like(EMPTY, 255), ["a"])


@pytest.mark.parametrize(
    "spacing", [(1, 1), (1, 1, 0), (1, -1, 1), (1, 1, np.nan), (1, 1, np.inf), "abc", None, 1.0]
)
def test_wrong_spacing(spacing: object) -> None:
    message = (
        f"spacing is {spacing!r}: give 3 positive finite numbers in mm, one for each axis"
        " of shape (2, 3, 4)"
    )
    with pytest.raises(RequestError, match=re.escape(message)):
        score_case(EMPTY, EMPTY, spacing, ["a"])  # type: ignore[arg-type]


@pytest.mark.parametrize("tolerance", [-1.0, np.nan, np.inf, "2"])
def test_wrong_tolerance(tolerance: object) -> None:
    message = f"tolerance_mm is {tolerance!r}: give a finite number, 0 or more"
    with pytest.raises(RequestError, match=re.escape(message)):
        score_case(EMPTY, EMPTY, (1, 1, 1), ["a"], tolerance_mm=tolerance)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(5,), (2, 2, 2, 2)])
def test_wrong_number_of_axes(shape: tuple[int, ...]) -> None:
    flat = np.ones(shape, np.uint8)
    assert count_overlap(flat, flat, ["a"])["a"].tp == flat.size
    message = f"boundary scores need a volume or a picture, not shape {shape}"
    with pytest.raises(RequestError, match=re.escape(message)):
        score_case(flat, flat, (1,) * len(shape), ["a"])


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int16, np.int64, np.float32])
def test_any_whole_numbers_are_accepted(dtype: type) -> None:
    prediction, reference = label_maps(np.eye(4, dtype=dtype), np.ones((4, 4), dtype=dtype))
    assert prediction.dtype == reference.dtype == np.uint8
    assert prediction.sum() == 4
    assert reference.sum() == 16
