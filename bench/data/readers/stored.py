"""Voxels out of a file, plain or deflated: all that the header promises, or an error.

Read here and not by the libraries: ITK takes a damaged compressed MetaImage or NRRD without an
error, with wrong voxels, and its reader of NRRD headers can be made to write beyond its buffers.
zlib's own checksum finds the damage; nothing of a file is unpacked beyond what its header says.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from math import prod
from pathlib import Path

import numpy as np

from bench.data.readers.claim import check_packed
from bench.errors import DataError

_BLOCK = 1 << 20
_EITHER = 32 + zlib.MAX_WBITS  # zlib or gzip, told apart by the first bytes
_BEHIND = 1 << 26
"""Bytes behind the voxels that a NIfTI file may hold; more is no padding."""


def read_plain(
    path: Path, case: str, *, offset: int, dtype: np.dtype, shape: tuple[int, ...], exact: bool
) -> np.ndarray:
    """shape: last file axis first. exact: nothing is behind the voxels, which begin at `offset`."""
    count = prod(shape)
    check_plain(path, case, offset=offset, expected=count * dtype.itemsize, exact=exact)
    flat = np.fromfile(path, dtype=dtype, count=count, offset=offset)
    if flat.size != count:
        raise DataError(case, f"{path} became shorter while it was read")
    return flat.reshape(shape)


def read_deflated(
    path: Path, case: str, *, offset: int, dtype: np.dtype, shape: tuple[int, ...]
) -> np.ndarray:
    """The same of a zlib or gzip stream, with nothing behind them in it."""
    expected = prod(shape) * dtype.itemsize
    check_packed(path, case, packed=path.stat().st_size - offset, expected=expected)
    unpacked = np.empty(expected, np.uint8)
    at = 0

    def take(block: bytes) -> None:
        nonlocal at
        part = block[: expected - at]
        unpacked[at : at + len(part)] = np.frombuffer(part, np.uint8)
        at += len(block)

    _inflate(path, case, offset=offset, expected=expected, exact=True, take=take)
    return unpacked.view(dtype).reshape(shape)


def check_plain(path: Path, case: str, *, offset: int, expected: int, exact: bool) -> None:
    """`expected` bytes lie in `path` from `offset` on; exact: and nothing behind them."""
    held = path.stat().st_size - offset
    if held < expected or (exact and held > expected):
        what = "the file is cut off" if held < expected else "the header does not fit the data"
        raise DataError(
            case, f"{path} holds {max(held, 0)} bytes of voxels, its header says {expected}: {what}"
        )


def check_deflated(path: Path, case: str, *, offset: int, expected: int, exact: bool) -> None:
    """The zlib or gzip stream from `offset` on is whole and unpacks to `expected` bytes."""
    check_packed(path, case, packed=path.stat().st_size - offset, expected=expected)
    _inflate(path, case, offset=offset, expected=expected, exact=exact, take=lambda block: None)


def _inflate(
    path: Path,
    case: str,
    *,
    offset: int,
    expected: int,
    exact: bool,
    take: Callable[[bytes], None],
) -> None:
    """Unpacks block by block and stops as soon as there is too much, so that neither a false header
    nor a bomb costs memory or time. exact: nothing is behind the voxels."""
    most = expected if exact else expected + _BEHIND
    unpacked = 0
    stream = zlib.decompressobj(_EITHER)
    try:
        with path.open("rb") as file:
            file.seek(offset)
            while not stream.eof:
                packed = stream.unconsumed_tail or file.read(_BLOCK)
                block = stream.decompress(packed, _BLOCK)
                if not packed and not block:
                    raise DataError(case, f"{path} is cut off in its compressed voxels")
                take(block)
                unpacked += len(block)
                if unpacked > most:
                    break
                if stream.eof:
                    # gzip allows several members in a row, and some writers make them.
                    file.seek(behind := file.tell() - len(stream.unused_data))
                    if file.read(2) == b"\x1f\x8b":
                        file.seek(behind)
                        stream = zlib.decompressobj(_EITHER)
    except zlib.error as error:
        raise DataError(case, f"{path} is damaged: its compressed voxels do not unpack") from error
    if unpacked < expected or unpacked > most:
        amount = f"more than {most}" if unpacked > most else str(unpacked)
        raise DataError(
            case,
            f"{path} unpacks to {amount} bytes, its header says {expected}: "
            "the header does not fit the data",
        )
