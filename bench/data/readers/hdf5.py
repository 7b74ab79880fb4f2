""".h5 and .hdf5: one dataset of the file, read as it lies there."""

from __future__ import annotations

from math import prod
from pathlib import Path

import h5py
import numpy as np

from bench.data.readers.claim import check_packed, check_real, claimed_bytes
from bench.data.readers.image import RawImage
from bench.errors import DataError

_NAMED = 12
_LARGEST_CHUNK = 1 << 28


def read_hdf5(path: Path, case: str, key: str) -> RawImage:
    """HDF5 files of these datasets say nothing of geometry."""
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(case, f"{path} is not HDF5, or it is cut off") from error
    with file:
        entry = _dataset(file, path, case, key)
        try:
            dtype = entry.dtype
        except TypeError as error:  # a kind of data that NumPy has no word for
            raise DataError(case, f"{path}: '{key}' holds no numbers") from error
        check_real(path, case, dtype)
        expected = claimed_bytes(path, case, entry.shape, dtype.itemsize)
        # A chunk is unpacked whole, however little of it lies in the array.
        chunk = prod(entry.chunks or ()) * dtype.itemsize
        if chunk > max(expected, _LARGEST_CHUNK):
            raise DataError(case, f"{path}: '{key}' is stored in chunks of {chunk} bytes")
        stored = entry.id.get_storage_size()
        if stored > path.stat().st_size:
            raise DataError(case, f"{path}: '{key}' claims {stored} stored bytes: it is cut off")
        check_packed(path, case, packed=stored, expected=expected)
        try:
            return RawImage(np.asarray(entry[()]))
        except OSError as error:
            raise DataError(case, f"{path}: '{key}' is damaged and does not unpack") from error


def _dataset(file: h5py.File, path: Path, case: str, key: str) -> h5py.Dataset:
    """An array whose voxels lie in this very file: links and outer storage could lead to any."""
    link = file.get(key, getlink=True) if key in file else None
    if isinstance(link, h5py.ExternalLink | h5py.SoftLink):
        raise DataError(case, f"{path}: '{key}' is a link; save the array itself")
    entry = file.get(key)
    if not isinstance(entry, h5py.Dataset) or entry.shape is None:
        names = sorted(n if isinstance(n, str) else n.decode("latin-1") for n in file)
        more = f", ... ({len(names)} in all)" if len(names) > _NAMED else ""
        held = ", ".join(name[:80] for name in names[:_NAMED]) or "nothing"
        raise DataError(case, f"{path} has no dataset '{key}'; it holds {held}{more}")
    if entry.is_virtual or entry.external:
        raise DataError(case, f"{path}: '{key}' keeps its voxels in other files; save it whole")
    return entry
