"""The reader of a file by its name."""

from __future__ import annotations

import zlib
from pathlib import Path
from tokenize import TokenError

from bench.data.readers.hdf5 import read_hdf5
from bench.data.readers.image import RawImage
from bench.data.readers.metaimage import read_metaimage
from bench.data.readers.nifti import read_nifti
from bench.data.readers.nrrd import read_nrrd
from bench.data.readers.numpy_files import read_npy, read_npz
from bench.errors import DataError

# What the libraries raise on damaged bytes, found by flipping some at random. Not among them:
# AttributeError, TypeError and their like, which would be a fault of ours.
_BROKEN = (
    OSError,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    TokenError,
    ValueError,
    zlib.error,
)

SUFFIXES = (
    ".nii.gz",
    ".nii",
    ".nrrd",
    ".nhdr",
    ".mha",
    ".mhd",
    ".raw",
    ".zraw",
    ".h5",
    ".hdf5",
    ".npz",
    ".npy",
)


def suffix_of(path: Path) -> str:
    """The known suffix of a file's name, lower case, or "" where it has none."""
    name = path.name.lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def stem_of(path: Path) -> str:
    """The file's name without its known suffix: Case07.nii.gz -> Case07."""
    return path.name[: len(path.name) - len(suffix_of(path))]


def read_image(path: Path, *, case: str | None = None, key: str = "image") -> RawImage:
    """One array of one file, as it lies there.

    case  the name for error messages; the file's own where there is none
    key   which array of an .h5 or .npz file
    """
    name = case or stem_of(path)
    try:
        return _read(path, name, key)
    except DataError as error:
        # Names inside a broken file may hold anything; the message stays one line.
        problem = "".join(char if char.isprintable() else "?" for char in error.problem)
        raise DataError(name, problem) from error
    except _BROKEN as error:
        # Of the system's errors its word alone: the whole one names a file, a header's, perhaps.
        said = getattr(error, "strerror", None) or str(error)
        reason = (said.splitlines() or [type(error).__name__])[0]
        raise DataError(name, f"{path} cannot be read: {reason}") from error


def _read(path: Path, case: str, key: str) -> RawImage:
    suffix = suffix_of(path)
    if suffix in (".raw", ".zraw"):
        header = path.with_suffix(".mhd")
        if not header.is_file():
            raise DataError(case, f"{path} does not say its shape; {header.name} is not beside it")
        path, suffix = header, ".mhd"
    if not suffix:
        raise DataError(case, f"{path} is of no known format ({' '.join(SUFFIXES)})")
    if not path.is_file():
        raise DataError(case, f"{path} is missing")
    if suffix in (".nii", ".nii.gz"):
        return read_nifti(path, case)
    if suffix in (".nrrd", ".nhdr"):
        return read_nrrd(path, case)
    if suffix in (".mhd", ".mha"):
        return read_metaimage(path, case)
    if suffix in (".h5", ".hdf5"):
        return read_hdf5(path, case, key)
    return read_npz(path, case, key) if suffix == ".npz" else read_npy(path, case)
