""".npy and .npz. Pickled objects are never loaded: they could run code."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import IO

import numpy as np
from numpy.lib import format as npy

from bench.data.readers.claim import check_packed, check_real, claimed_bytes
from bench.data.readers.image import RawImage
from bench.errors import DataError
from bench.record.zipped import unbounded_packing

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
        names = archive.namelist()
        if f"{key}.npy" not in names:
            # They are not named: a reason may go into a record, and a name may be a patient's.
            raise DataError(
                case,
                f"{path} has no array '{key}' among its {len(names)} arrays; save it under that "
                "name",
            )
        member = _member(archive, path, case, key)
        check_packed(path, case, packed=member.compress_size, expected=member.file_size)
        try:
            with archive.open(member) as file:
                return RawImage(_read(file, member.file_size, path, case))
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise DataError(case, f"{path}: '{key}' is damaged and does not unpack") from error


def npz_shape(path: Path, case: str, key: str) -> tuple[int, ...]:
    """The shape of one array, from its header alone."""
    try:
        with (
            zipfile.ZipFile(path) as archive,
            archive.open(_member(archive, path, case, key)) as file,
        ):
            return _header(file, path, case)[0]
    except _BROKEN as error:
        raise DataError(case, f"{path} is no .npz file with an array '{key}'") from error


def _member(archive: zipfile.ZipFile, path: Path, case: str, key: str) -> zipfile.ZipInfo:
    member = archive.getinfo(f"{key}.npy")
    if packing := unbounded_packing(member):
        raise DataError(
            case, f"{path}: '{key}' is packed with {packing}; save it with np.savez_compressed"
        )
    return member


def _read(file: IO[bytes], size: int, path: Path, case: str) -> np.ndarray:
    shape, fortran, dtype = _header(file, path, case)
    expected = claimed_bytes(path, case, shape, dtype.itemsize) if shape else dtype.itemsize
    held = size - file.tell()
    if held != expected:
        raise DataError(
            case, f"{path} holds {held} bytes of voxels, its header says {expected}: it is cut off"
        )
    # To the end, where the archive checks its CRC; numpy's own loader stops just before. Not
    # without a number: the archive would unpack what goes beyond it, too.
    flat = np.frombuffer(file.read(expected), dtype=dtype)
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
    except (ValueError, TokenError) as error:
        raise DataError(case, f"{path} is no NumPy array") from error
    if dtype.hasobject:
        raise DataError(case, f"{path} holds Python objects, which are never loaded")
    check_real(path, case, dtype)
    return shape, fortran, dtype
