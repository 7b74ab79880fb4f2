""".h5 and .hdf5: one dataset of the file, read as it lies there."""

from __future__ import annotations

import zlib
from pathlib import Path

import h5py
import numpy as np

from bench.data.readers.claim import check_packed, check_real, claimed_bytes
from bench.data.readers.hdf5chunks import check_chunks, list_chunks
from bench.data.readers.image import RawImage
from bench.errors import DataError


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
        try:
            chunks = list_chunks(entry, path, case, key, expected=expected)
            in_one = entry.id.get_storage_size() if entry.chunks is None else 0
            stored = in_one + sum(chunk.size for chunk in chunks)
            if stored > path.stat().st_size:
                raise DataError(
                    case, f"{path}: '{key}' claims {stored} stored bytes: it is cut off"
                )
            check_packed(path, case, packed=stored, expected=expected)
            check_chunks(entry, chunks, path, case, key)
            return RawImage(np.asarray(entry[()]))
        except (OSError, zlib.error) as error:
            raise DataError(case, f"{path}: '{key}' is damaged and does not unpack") from error


def _dataset(file: h5py.File, path: Path, case: str, key: str) -> h5py.Dataset:
    """An array whose voxels lie in this very file: links and outer storage could lead to any."""
    link = file.get(key, getlink=True) if key in file else None
    if isinstance(link, h5py.ExternalLink | h5py.SoftLink):
        raise DataError(case, f"{path}: '{key}' is a link; save the array itself")
    entry = file.get(key)
    if not isinstance(entry, h5py.Dataset) or entry.shape is None:
        # The others are not named: a reason may go into a record, and a name may be a patient's.
        raise DataError(
            case,
            f"{path} has no dataset '{key}' among its {len(file)} entries; save it under that name",
        )
    if entry.is_virtual or entry.external:
        raise DataError(case, f"{path}: '{key}' keeps its voxels in other files; save it whole")
    return entry
