""".npy and .npz. Pickled objects are never loaded: they could run code."""

from __future__ import annotations

import zipfile
import zlib
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from bench.data.readers.image import RawImage
from bench.errors import DataError


def read_npy(path: Path, case: str) -> RawImage:
    with path.open("rb") as file:
        return RawImage(_read(file, path.stat().st_size, path, case))


def read_npz(path: Path, case: str, key: str) -> RawImage:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(case, f"{path} is no .npz file, or it is cut off") from error
    with archive:
        names = sorted(name.removesuffix(".npy") for name in archive.namelist())
        if key not in names:
            raise DataError(
                case, f"{path} has no array '{key}'; it holds {', '.join(names) or 'nothing'}"
            )
        member = archive.getinfo(f"{key}.npy")
        try:
            with archive.open(member) as file:
                return RawImage(_read(file, member.file_size, path, case))
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DataError(case, f"{path}: '{key}' is damaged and does not unpack") from error


def npz_shape(path: Path, case: str, key: str) -> tuple[int, ...]:
    """The shape of one array, from its header alone."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as file:
            return _header(file, path, case)[0]
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, OSError) as error:
        raise DataError(case, f"{path} is no .npz file with an array '{key}'") from error


def _read(file: IO[bytes], size: int, path: Path, case: str) -> np.ndarray:
    shape, fortran, dtype = _header(file, path, case)
    held, expected = size - file.tell(), prod(shape) * dtype.itemsize
    if held != expected:
        raise DataError(
            case, f"{path} holds {held} bytes of voxels, its header says {expected}: it is cut off"
        )
    # Reading to the end lets the archive check its CRC; numpy's own loader stops just before.
    flat = np.frombuffer(file.read(), dtype=dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def _header(file: IO[bytes], path: Path, case: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except ValueError as error:
        raise DataError(case, f"{path} is no NumPy array") from error
    if dtype.hasobject:
        raise DataError(case, f"{path} holds Python objects, which are never loaded")
    return shape, fortran, dtype
