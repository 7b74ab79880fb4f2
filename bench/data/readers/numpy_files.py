""".npy and .npz. Pickled objects are never loaded: they could run code."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from bench.data.readers.claim import check_packed, check_real, claimed_bytes
from bench.data.readers.image import RawImage
from bench.errors import DataError

# NotImplementedError and RuntimeError: a compression that zipfile does not know, a password.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)
_NAMED = 12
_LONGEST_HEADER = 10_000


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
        if f"{key}.npy" not in archive.namelist():
            more = f", ... ({len(names)} in all)" if len(names) > _NAMED else ""
            held = ", ".join(name[:80] for name in names[:_NAMED]) or "nothing"
            raise DataError(case, f"{path} has no array '{key}'; it holds {held}{more}")
        member = archive.getinfo(f"{key}.npy")
        check_packed(path, case, packed=member.compress_size, expected=member.file_size)
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
    except _BROKEN as error:
        raise DataError(case, f"{path} is no .npz file with an array '{key}'") from error


def _read(file: IO[bytes], size: int, path: Path, case: str) -> np.ndarray:
    shape, fortran, dtype = _header(file, path, case)
    expected = claimed_bytes(path, case, shape, dtype.itemsize) if shape else dtype.itemsize
    held = size - file.tell()
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
        # numpy takes the memory for a header of any length before it looks at it.
        at, wide = file.tell(), 2 if version == (1, 0) else 4
        if int.from_bytes(file.read(wide), "little") > _LONGEST_HEADER:
            raise DataError(case, f"{path} is no NumPy array: its header is too long")
        file.seek(at)
        shape, fortran, dtype = read(file)
    except ValueError as error:
        raise DataError(case, f"{path} is no NumPy array") from error
    if dtype.hasobject:
        raise DataError(case, f"{path} holds Python objects, which are never loaded")
    check_real(path, case, dtype)
    return shape, fortran, dtype
