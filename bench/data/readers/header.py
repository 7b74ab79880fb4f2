"""A header of text that says how its voxels lie in a file, and those voxels."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from math import prod
from pathlib import Path

import numpy as np

from bench.data.readers.image import RawImage, spacing_of
from bench.data.readers.stored import check_plain, read_deflated, read_plain
from bench.errors import DataError, one_line


@dataclass(frozen=True, eq=False)
class Header:
    """What the text part says.

    shape   last file axis first: (D, H, W)
    data    the file that holds the voxels          offset  where they start in it
    packed  bytes of them there, where the header says it and they are compressed
    exact   nothing is behind plain voxels
    affine  (z, y, x) voxel index -> world mm (RAS), None for anything but a volume; 1 mm voxels
            where `says_spacing` is False
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    data: Path
    offset: int
    compressed: bool
    says_spacing: bool
    affine: np.ndarray | None = field(repr=False)
    packed: int | None = None
    exact: bool = True

    @property
    def size(self) -> int:
        """Bytes of all voxels, unpacked."""
        return prod(self.shape) * self.dtype.itemsize


def read_voxels(header: Header, path: Path, case: str) -> RawImage:
    """path: where the header stands."""
    try:
        array = _voxels(header, path, case)
    except DataError as error:
        named = _named(header.data, path)
        raise DataError(
            case, error.problem.replace(one_line(str(header.data)), one_line(named))
        ) from error
    if header.affine is None or not header.says_spacing:
        return RawImage(array)
    return RawImage(array, spacing_of(header.affine), header.affine)


def _voxels(header: Header, path: Path, case: str) -> np.ndarray:
    if not header.data.is_file():
        raise DataError(case, f"{header.data} is missing; {path.name} keeps its voxels there")
    if header.packed is not None:
        check_plain(header.data, case, offset=header.offset, expected=header.packed, exact=True)
    read = read_deflated if header.compressed else partial(read_plain, exact=header.exact)
    array = read(header.data, case, offset=header.offset, dtype=header.dtype, shape=header.shape)
    return array.astype(header.dtype.newbyteorder("="), copy=False)


def _named(data: Path, path: Path) -> str:
    """How a reason calls the file of voxels. Reasons go into records: a name out of a header, which
    may be a patient's, is said only where it is the header's own."""
    own = (path, path.with_suffix(".raw"), path.with_suffix(".zraw"))
    return str(data) if data in own else f"the file of voxels that {path} names"
