"""What a header claims, held against what can be true, before any memory is taken for it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
import psutil

from bench.data.checks import LARGEST_VOLUME
from bench.errors import DataError

TIGHTEST = 1032
"""deflate packs no tighter than 1032 to 1."""
MOST_AXES = 8
_SMALL = 1 << 20


def claimed_bytes(path: Path, case: str, shape: Sequence[int], itemsize: int) -> int:
    """Bytes of an array of this shape, if a machine such as this one could hold it."""
    size = prod(shape)
    if len(shape) > MOST_AXES or min(shape, default=0) < 1:
        raise DataError(case, f"{path} has an impossible shape {_by(shape)}; check its header")
    if size > LARGEST_VOLUME:
        raise DataError(
            case,
            f"{path}: its header says {size * itemsize} bytes of {_by(shape)} voxels, more than "
            f"{LARGEST_VOLUME} voxels; check its header, or crop it",
        )
    free = psutil.virtual_memory().available
    if size * itemsize > free:
        raise DataError(
            case,
            f"{path}: its {_by(shape)} voxels take {size * itemsize / 2**30:.1f} GiB of memory, "
            f"{free / 2**30:.1f} GiB are free; crop it, or use a larger machine",
        )
    return size * itemsize


def check_packed(path: Path, case: str, *, packed: int, expected: int) -> None:
    """`packed` bytes can unpack to `expected` ones. Asked before anything is unpacked."""
    if expected > max(_SMALL, packed * TIGHTEST):
        raise DataError(
            case,
            f"{path} holds {packed} packed bytes of voxels, its header says {expected} bytes: no "
            "compression is that tight; check its header",
        )


def check_real(path: Path, case: str, dtype: np.dtype) -> None:
    """Numbers of a fixed size, which no reading turns into objects."""
    if dtype.kind not in "buif" or dtype.hasobject:
        # Not str(dtype): that of a table has the names of its columns in it.
        raise DataError(case, f"{path} holds {dtype.name}; real numbers are needed")


def beside(path: Path, name: str, case: str) -> Path:
    """The file of voxels that a header names. A header must not make us read anything else."""
    if not name or "\0" in name or "\\" in name or name.startswith("/") or ".." in name.split("/"):
        # The file is not named: a reason may go into a record, and a name may be a patient's.
        raise DataError(
            case,
            f"{path}: its header names a file of voxels which leaves its folder; put it beside it",
        )
    return path.parent / name


def _by(shape: Sequence[int]) -> str:
    text = " x ".join(str(n) for n in shape[:MOST_AXES])
    return f"{text} x ... ({len(shape)} axes)" if len(shape) > MOST_AXES else text
