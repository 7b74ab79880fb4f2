""".h5 and .hdf5: one dataset of the file, read as it lies there."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from bench.data.readers.image import RawImage
from bench.errors import DataError

# deflate cannot pack tighter than 1032 to 1; a dataset that claims more does not hold its voxels.
_TIGHTEST = 1032
_SMALL = 1 << 20


def read_hdf5(path: Path, case: str, key: str) -> RawImage:
    """HDF5 files of these datasets say nothing of geometry."""
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise DataError(case, f"{path} is not HDF5, or it is cut off") from error
    with file:
        entry = file.get(key)
        if not isinstance(entry, h5py.Dataset):
            held = ", ".join(sorted(file)) or "nothing"
            raise DataError(case, f"{path} has no dataset '{key}'; it holds {held}")
        stored = entry.id.get_storage_size()
        if entry.nbytes > max(_SMALL, stored * _TIGHTEST):
            raise DataError(
                case,
                f"{path}: '{key}' claims {entry.nbytes} bytes of shape {entry.shape}, "
                f"{stored} are stored",
            )
        try:
            return RawImage(np.asarray(entry[()]))
        except OSError as error:
            raise DataError(case, f"{path}: '{key}' is damaged and does not unpack") from error
