"""One case from its source to the store: read, check, convert, hash, write."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Literal

import numpy as np

from bench.contract import Dataset, RawCase, Source, Spacing
from bench.data.checks import check_case
from bench.data.manifest import SpacingSource, StoredCase
from bench.errors import DataError
from bench.protocol import UNLABELLED


def canonical_image(image: np.ndarray) -> np.ndarray:
    """float16 where that changes no value, else float32; C order, little-endian.

    Integers beyond 2**24 and float64 are rounded to float32: far below any scanner's noise.
    """
    single = np.ascontiguousarray(image, dtype="<f4")
    # Only what float16 can hold is tried: a cast beyond its largest value warns.
    if max(-float(single.min()), float(single.max())) > float(np.finfo(np.float16).max):
        return single
    half = single.astype("<f2")
    return half if np.array_equal(half, single) else single


def voxel_hash(image: np.ndarray, label: np.ndarray, spacing: Spacing) -> str:
    """sha256 of a canonical case; the same on every machine."""
    head = {"dtype": image.dtype.name, "shape": list(image.shape), "spacing": list(spacing)}
    digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    digest.update(image.data)
    digest.update(label.data)
    return digest.hexdigest()


def read_case(dataset: Dataset, source: Source) -> RawCase:
    """What the dataset reads; what a library could not open becomes an error with the case's id."""
    try:
        return dataset.read(source)
    except (OSError, EOFError, ValueError) as error:
        line = " ".join(str(error).split()) or type(error).__name__
        raise DataError(source.case, f"cannot be read: {line}; mend or remove its files") from error
    except MemoryError as error:
        raise DataError(source.case, "does not fit into memory; crop it") from error


def convert_case(
    raw: RawCase,
    source: Source,
    *,
    classes: Sequence[str],
    spacing: Spacing | None,
    source_sha256: str,
) -> tuple[StoredCase, np.ndarray, np.ndarray]:
    """The facts, the image and the label of a checked case. `spacing`: the card's, for files
    without any."""
    label = check_case(source.case, raw, classes=classes)
    image = canonical_image(raw.image)
    size, origin = choose_spacing(raw.spacing, spacing)
    shape = (image.shape[0], image.shape[1], image.shape[2])
    foreground, labelled = [], []
    present = np.zeros(256, dtype=bool)
    for index, plane in enumerate(label):
        seen = np.bincount(plane.ravel(), minlength=256) > 0
        present |= seen
        if seen[1 : len(classes) + 1].any():
            foreground.append(index)
        if seen[:UNLABELLED].any():
            labelled.append(index)
    dtype: Literal["float16", "float32"] = "float16" if image.dtype.itemsize == 2 else "float32"
    affine = None if raw.affine is None else np.asarray(raw.affine, dtype=np.float64).tolist()
    stored = StoredCase(
        case=source.case,
        patient=source.patient,
        site=source.site,
        shape=shape,
        spacing=size,
        spacing_source=origin,
        dtype=dtype,
        sha256=voxel_hash(image, label, size),
        source_sha256=source_sha256,
        foreground=tuple(foreground),
        labelled=tuple(labelled),
        classes=tuple(name for i, name in enumerate(classes, start=1) if present[i]),
        affine=None if affine is None else tuple(tuple(row) for row in affine),
    )
    return stored, image, label


def choose_spacing(file: Spacing | None, card: Spacing | None) -> tuple[Spacing, SpacingSource]:
    """The file's, else the card's, else voxels. Rounded: a header's last bit says nothing."""
    if file is None and card is None:
        return (1.0, 1.0, 1.0), "unknown"
    chosen = card if file is None else file
    assert chosen is not None
    z, y, x = (round(float(mm), 6) for mm in chosen)
    return (z, y, x), "card" if file is None else "file"
