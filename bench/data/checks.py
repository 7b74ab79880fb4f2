"""What a case must be before it is converted. Each fault is one line: case, problem, remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.contract import RawCase, Source, Spacing
from bench.errors import DataError, RequestError
from bench.protocol import UNLABELLED

SMALLEST_SIDE = 4
"""Pixels; fewer in a row or column are no picture but a header read wrongly."""
LARGEST_VOLUME = 2**31
"""Voxels: 1290 cubed. A header that claims more is broken."""
SPACING_RANGE = (1e-3, 100.0)
"""Millimetres: from microscopy to far beyond the thickest slice."""
SPACING_TOLERANCE = 0.01
"""Relative; what a file's affine and its spacing may differ by."""
BLOCK = 2**20
"""Voxels that are looked at in one go, so that a check never doubles the memory of a volume."""


def check_sources(sources: Sequence[Source], *, where: Path | None) -> None:
    """Some case is there, and no id stands for two."""
    if not sources:
        raise RequestError(
            f"no case in {where}: the folder is empty, or its files have other names"
        )
    for ids, kind in (
        ([source.case for source in sources], "occurs twice"),
        (
            [source.case.casefold() for source in sources],
            "differs from another only in upper and lower case",
        ),
    ):
        name, count = Counter(ids).most_common(1)[0]
        if count > 1:
            same = [s for s, key in zip(sources, ids, strict=True) if key == name]
            files = ", ".join(str(s.files[0]) for s in same if s.files)
            raise DataError(
                same[-1].case,
                f"this id {kind}{f' ({files})' if files else ''}; rename or remove one",
            )


def check_text(sources: Sequence[Source]) -> None:
    """Ids come from files' names, which may be any bytes; splits and records are text."""
    for source in sources:
        for name in (source.case, source.patient, source.site or ""):
            try:
                name.encode()
            except UnicodeEncodeError:
                raise DataError(
                    source.case, f"the name {name} is no text in UTF-8; rename its files"
                ) from None


def check_case(case: str, raw: RawCase, *, classes: Sequence[str]) -> np.ndarray:
    """Every check of one case. Returns its label as uint8 (D, H, W)."""
    if raw.image is None:
        raise DataError(case, "no image was read; check the case's files")
    if raw.label is None:
        raise DataError(case, "its segmentation is missing; add the file, or remove the case")
    check_image(case, raw.image)
    check_spacing(case, raw.spacing)
    check_affine(case, raw.affine, raw.spacing)
    return check_label(case, raw.label, shape=raw.image.shape, classes=classes)


def check_image(case: str, image: np.ndarray) -> None:
    """A (D, H, W) array of finite real numbers, of a size that a scanner makes."""
    _check_numbers(case, "image", image)
    if image.ndim == 2:
        raise DataError(
            case,
            f"the image is 2D ({_by(image.shape)}), not a volume; "
            "stack the patient's slices in one file",
        )
    if image.ndim == 4:
        raise DataError(
            case,
            f"the image is 4D ({_by(image.shape)}); keep one channel or time point in each file",
        )
    if image.ndim != 3:
        raise DataError(
            case, f"the image has {image.ndim} axes ({_by(image.shape)}); it must have three"
        )
    if 0 in image.shape or min(image.shape[1:]) < SMALLEST_SIDE:
        raise DataError(
            case,
            f"the image is {_by(image.shape)} voxels; a slice has at least "
            f"{SMALLEST_SIDE} x {SMALLEST_SIDE}: check the file, or the order of its axes",
        )
    if image.size > LARGEST_VOLUME:
        raise DataError(
            case,
            f"the image is {_by(image.shape)} voxels, more than {LARGEST_VOLUME}; "
            "check its header, or crop it",
        )
    if image.dtype.kind == "f":
        bad = sum(block.size - int(np.isfinite(block).sum()) for block in _blocks(image))
        if bad:
            raise DataError(
                case, f"the image has NaN or infinity in {bad} voxels; mend or remove the file"
            )
        if image.dtype.itemsize > 4 and np.abs(image).max() > np.finfo(np.float32).max:
            raise DataError(case, "the image has values beyond 3.4e38 (float32); rescale it")


def check_spacing(case: str, spacing: Spacing | None) -> None:
    """Three positive lengths that are millimetres, where the file gives any."""
    if spacing is None:
        return
    low, high = SPACING_RANGE
    if len(spacing) != 3 or not all(low <= mm <= high for mm in spacing):
        raise DataError(
            case,
            f"its spacing is {_numbers(spacing)}; three lengths of {low:g} to {high:g} mm "
            "are needed: mend the header",
        )


def check_affine(case: str, affine: np.ndarray | None, spacing: Spacing | None) -> None:
    """4x4 and finite, with the voxel size that the spacing says."""
    if affine is None:
        return
    matrix = np.asarray(affine, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise DataError(case, "its affine is not a 4 x 4 matrix of numbers; mend the header")
    sides = np.linalg.norm(matrix[:3, :3], axis=0)
    if not abs(np.linalg.det(matrix[:3, :3])) > 1e-6 * np.prod(sides):
        raise DataError(case, "its affine is singular: two axes point one way; mend the header")
    if spacing is not None and not np.allclose(sides, spacing, rtol=SPACING_TOLERANCE, atol=0):
        raise DataError(
            case,
            f"its spacing is {_numbers(spacing)} mm, but its affine says {_numbers(sides)} mm; "
            "mend the header",
        )


def check_label(
    case: str, label: np.ndarray, *, shape: tuple[int, ...], classes: Sequence[str]
) -> np.ndarray:
    """0 .. len(classes), or UNLABELLED, on the image's grid. Returns them as uint8 (D, H, W)."""
    _check_numbers(case, "segmentation", label)
    if label.shape != shape:
        raise DataError(
            case,
            f"the image is {_by(shape)} voxels but its segmentation {_by(label.shape)}; "
            "they must share one grid: check that they belong together",
        )
    counts = _count(label)
    broken = [value for value in counts if not float(value).is_integer()]
    if broken:
        voxels = sum(counts[value] for value in broken)
        raise DataError(
            case,
            f"the segmentation holds {broken[0]:g} where whole numbers belong ({voxels} voxels); "
            "was it resampled with interpolation? use the original, or nearest neighbour",
        )
    allowed = {*range(len(classes) + 1), UNLABELLED}
    strange = sorted(value for value in counts if value not in allowed)
    if strange:
        named = ", ".join(f"{int(v)} ({counts[v]} voxels)" for v in strange[:5])
        known = ", ".join(f"{i} {name}" for i, name in enumerate(classes, start=1))
        raise DataError(
            case,
            f"the segmentation holds label {named}; known are 0 background, {known}, "
            f"{UNLABELLED} not labelled: map it, or correct the classes",
        )
    if not any(0 < value < UNLABELLED for value in counts):
        raise DataError(
            case,
            "the segmentation is all background: no voxel of any class; "
            "check that it is the right file, or leave the case out",
        )
    return np.ascontiguousarray(label, dtype=np.uint8)


def _check_numbers(case: str, what: str, array: np.ndarray) -> None:
    if array.dtype.kind not in "buif":
        raise DataError(
            case,
            f"the {what} is of type {array.dtype}; real numbers are needed: "
            "save it as integers or floats",
        )


def _count(label: np.ndarray) -> Counter[float]:
    """How many voxels hold each value."""
    counts: Counter[float] = Counter()
    for block in _blocks(label):
        whole = block.dtype.kind in "bui" or bool((block == np.rint(block)).all())
        if whole and block.min() >= 0 and block.max() <= 2 * UNLABELLED:
            number = np.bincount(block.ravel().astype(np.uint16))
            counts.update({value: int(n) for value, n in enumerate(number) if n})
        else:
            values, number = np.unique(block, return_counts=True)
            counts.update(dict(zip(values.tolist(), number.tolist(), strict=True)))
    return counts


def _blocks(array: np.ndarray) -> list[np.ndarray]:
    """Views of some slices each, that together are the array."""
    depth = max(1, BLOCK // max(1, int(np.prod(array.shape[1:]))))
    return [array[start : start + depth] for start in range(0, len(array), depth)]


def _by(shape: Sequence[int]) -> str:
    return " x ".join(str(n) for n in shape) or "no"


def _numbers(values: Sequence[float] | np.ndarray) -> str:
    return " x ".join(f"{float(value):g}" for value in values)
