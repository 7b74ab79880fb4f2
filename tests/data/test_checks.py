"""Every kind of bad input is refused with the case, the problem and a remedy, in one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.contract import RawCase, Source
from bench.data.checks import LARGEST_VOLUME, check_case, check_image, check_label, check_sources
from bench.errors import DataError, RequestError

CLASSES = ("organ", "nodule")
SHAPE = (3, 5, 6)


def good() -> RawCase:
    label = np.zeros(SHAPE, np.uint8)
    label[1, 2, 2:4] = 1, 2
    affine = np.diag([2.0, 1.0, 0.5, 1.0])
    return RawCase(np.ones(SHAPE, np.float32), label, (2.0, 1.0, 0.5), affine)


def with_voxel(array: np.ndarray, value: float, dtype: type) -> np.ndarray:
    changed = array.astype(dtype)
    changed[0, 0, 0] = value
    return changed


def image(change: Callable[[np.ndarray], np.ndarray]) -> RawCase:
    return replace(good(), image=change(good().image))


def label(change: Callable[[np.ndarray], np.ndarray]) -> RawCase:
    return replace(good(), label=change(good().label))


BAD = {
    "2D": (image(lambda a: a[0]), "the image is 2D (5 x 6), not a volume; stack"),
    "4D": (image(lambda a: a[None]), "the image is 4D (1 x 3 x 5 x 6); keep one channel"),
    "1D": (image(lambda a: a[0, 0]), "the image has 1 axes (6); it must have three"),
    "no slices": (image(lambda a: a[:0]), "the image is 0 x 5 x 6 voxels; a slice has at least"),
    "tiny slices": (image(lambda a: a[:, :3]), "the image is 3 x 3 x 6 voxels; a slice has at"),
    "NaN": (
        image(lambda a: with_voxel(a, np.nan, np.float32)),
        "the image has NaN or infinity in 1 voxels; mend or remove the file",
    ),
    "infinity": (
        image(lambda a: with_voxel(a, -np.inf, np.float64)),
        "the image has NaN or infinity in 1 voxels",
    ),
    "beyond float32": (
        image(lambda a: with_voxel(a, -1e39, np.float64)),
        "the image has values beyond 3.4e38 (float32); rescale it",
    ),
    "complex": (
        image(lambda a: a.astype(np.complex64)),
        "the image is of type complex64; real numbers are needed: save it as integers or floats",
    ),
    "objects": (image(lambda a: a.astype(object)), "the image is of type object; real numbers"),
    "text": (image(lambda a: a.astype("U4")), "the image is of type <U4; real numbers"),
    "colour": (
        image(lambda a: a.astype([("R", "u1"), ("G", "u1"), ("B", "u1")])),
        "the image is of type [('R', 'u1'), ('G', 'u1'), ('B', 'u1')]; real numbers",
    ),
    "dates": (image(lambda a: a.astype("M8[s]")), "the image is of type datetime64[s]; real"),
    "no image": (replace(good(), image=None), "no image was read; check the case's files"),
    "no label": (
        replace(good(), label=None),
        "its segmentation is missing; add the file, or remove the case",
    ),
    "label shape": (
        label(lambda a: a[:2]),
        "the image is 3 x 5 x 6 voxels but its segmentation 2 x 5 x 6; they must share one grid",
    ),
    "label axes": (
        label(lambda a: a.transpose(2, 1, 0)),
        "the image is 3 x 5 x 6 voxels but its segmentation 6 x 5 x 3",
    ),
    "complex label": (
        label(lambda a: a.astype(np.complex64)),
        "the segmentation is of type complex64; real numbers are needed",
    ),
    "interpolated label": (
        label(lambda a: with_voxel(a, 0.5, np.float32)),
        "the segmentation holds 0.5 where whole numbers belong (1 voxels); was it resampled",
    ),
    "NaN label": (
        label(lambda a: with_voxel(a, np.nan, np.float32)),
        "the segmentation holds nan where whole numbers belong (1 voxels)",
    ),
    "infinite label": (
        label(lambda a: with_voxel(a, np.inf, np.float64)),
        "the segmentation holds inf where whole numbers belong (1 voxels)",
    ),
    "unknown label": (
        label(lambda a: with_voxel(a, 3, np.uint8)),
        "the segmentation holds label 3 (1 voxels); known are 0 background, 1 organ, 2 nodule, "
        "255 not labelled: map it, or correct the classes",
    ),
    "negative label": (
        label(lambda a: with_voxel(a, -1, np.int16)),
        "the segmentation holds label -1 (1 voxels)",
    ),
    "label that 8 bits would wrap": (
        label(lambda a: with_voxel(a, 257, np.int32)),
        "the segmentation holds label 257 (1 voxels)",
    ),
    "label that 16 bits would wrap": (
        label(lambda a: with_voxel(a, 65537, np.int32)),
        "the segmentation holds label 65537 (1 voxels)",
    ),
    "background only": (
        label(np.zeros_like),
        "the segmentation is all background: no voxel of any class; check that it is the right",
    ),
    "nothing labelled": (
        label(lambda a: np.full_like(a, 255)),
        "the segmentation is all background: no voxel of any class",
    ),
    "no thickness": (
        replace(good(), spacing=(0.0, 1.0, 1.0)),
        "its spacing is 0 x 1 x 1; three lengths of 0.001 to 100 mm are needed: mend the header",
    ),
    "negative spacing": (replace(good(), spacing=(2.0, -1.0, 1.0)), "its spacing is 2 x -1 x 1;"),
    "spacing NaN": (replace(good(), spacing=(2.0, np.nan, 1.0)), "its spacing is 2 x nan x 1;"),
    "metres": (replace(good(), spacing=(2.0, 1.0, 1000.0)), "its spacing is 2 x 1 x 1000;"),
    "two lengths": (replace(good(), spacing=(2.0, 1.0)), "its spacing is 2 x 1; three lengths"),
    "affine against spacing": (
        replace(good(), spacing=(2.0, 1.0, 0.6)),
        "its spacing is 2 x 1 x 0.6 mm, but its affine says 2 x 1 x 0.5 mm; mend the header",
    ),
    "affine of 3 x 3": (
        replace(good(), affine=np.eye(3)),
        "its affine is not a 4 x 4 matrix of numbers; mend the header",
    ),
    "affine NaN": (
        replace(good(), affine=np.full((4, 4), np.nan)),
        "its affine is not a 4 x 4 matrix of numbers",
    ),
    "flat affine": (
        replace(good(), affine=np.array([[2, 2, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])),
        "its affine is singular: two axes point one way; mend the header",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_case_is_refused_in_one_line(fault: str) -> None:
    raw, message = BAD[fault]
    with pytest.raises(DataError, match=re.escape(f"case p7: {message}")) as caught:
        check_case("p7", raw, classes=CLASSES)
    assert "\n" not in str(caught.value)
    assert caught.value.case == "p7"


def test_a_good_case_gives_its_label_as_uint8() -> None:
    label = check_case("p7", good(), classes=CLASSES)
    assert label.dtype == np.uint8
    assert np.array_equal(label, good().label)


@pytest.mark.parametrize("dtype", [bool, np.int8, ">i2", np.uint64, np.float16, ">f8"])
def test_whole_numbers_of_any_type_are_labels(dtype: str) -> None:
    raw = label(lambda a: (a == 1).astype(dtype))
    assert check_case("p7", raw, classes=CLASSES).tolist() == (good().label == 1).tolist()


def test_voxels_that_nobody_labelled_are_allowed() -> None:
    raw = label(lambda a: with_voxel(a, 255, np.int16))
    assert check_case("p7", raw, classes=CLASSES)[0, 0, 0] == 255


def test_faults_are_found_in_the_last_slice_of_a_large_volume() -> None:
    """The checks go through a volume in blocks of 2**20 voxels; this one has three and a bit."""
    shape = (13, 512, 512)
    array = np.zeros(shape, np.float32)
    array[-1, -1, -1] = np.nan
    with pytest.raises(DataError, match="NaN or infinity in 1 voxels"):
        check_image("p7", array)
    labels = np.zeros(shape, np.float32)
    labels[0, 0, 0] = 1
    labels[-1, -1, -2:] = 7
    with pytest.raises(DataError, match=r"holds label 7 \(2 voxels\)"):
        check_label("p7", labels, shape=shape, classes=CLASSES)


def test_an_absurd_size_is_refused_before_it_is_looked_at() -> None:
    huge = np.broadcast_to(np.float32(np.nan), (2049, 1024, 1024))
    assert huge.size > LARGEST_VOLUME
    with pytest.raises(DataError, match="2049 x 1024 x 1024 voxels, more than 2147483648; check"):
        check_image("p7", huge)


def test_an_empty_folder_is_an_error() -> None:
    with pytest.raises(RequestError, match="no case in here: the folder is empty, or its files"):
        check_sources([], where=Path("here"))


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("Case1", r"case Case1: this id occurs twice \(a.mhd, b.mhd\); rename or remove one"),
        ("case1", r"case case1: this id differs from another only in upper and lower case"),
    ],
)
def test_two_cases_of_one_id_are_an_error(second: str, message: str) -> None:
    sources = [
        Source("Case1", "p1", (Path("a.mhd"),)),
        Source("Case2", "p2"),
        Source(second, "p3", (Path("b.mhd"),)),
    ]
    with pytest.raises(DataError, match=message):
        check_sources(sources, where=None)
