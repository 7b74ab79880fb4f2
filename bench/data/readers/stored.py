"""Does a file hold the bytes that its header promises? Asked before any memory is taken.

The libraries do not always ask: a damaged compressed MetaImage or NRRD is read by ITK without an
error, with wrong voxels. zlib's own checksum finds it.
"""

from __future__ import annotations

import zlib
from pathlib import Path

from bench.errors import DataError

_BLOCK = 1 << 20
_EITHER = 32 + zlib.MAX_WBITS  # zlib or gzip, told apart by the first bytes


def check_plain(path: Path, case: str, *, offset: int, expected: int, exact: bool) -> None:
    """`expected` bytes lie in `path` from `offset` on; exact: and nothing behind them."""
    held = path.stat().st_size - offset
    if held < expected or (exact and held > expected):
        what = "the file is cut off" if held < expected else "the header does not fit the data"
        raise DataError(
            case, f"{path} holds {max(held, 0)} bytes of voxels, its header says {expected}: {what}"
        )


def check_deflated(path: Path, case: str, *, offset: int, expected: int, exact: bool) -> None:
    """The zlib or gzip stream from `offset` on is whole and unpacks to `expected` bytes.

    Unpacks block by block and stops as soon as there is too much, so that neither a false header
    nor a bomb costs memory.
    """
    unpacked = 0
    stream = zlib.decompressobj(_EITHER)
    try:
        with path.open("rb") as file:
            file.seek(offset)
            while not stream.eof:
                packed = stream.unconsumed_tail or file.read(_BLOCK)
                block = len(stream.decompress(packed, _BLOCK))
                if not packed and not block:
                    raise DataError(case, f"{path} is cut off in its compressed voxels")
                unpacked += block
                if exact and unpacked > expected:
                    break
                if stream.eof:
                    # gzip allows several members in a row, and some writers make them.
                    file.seek(behind := file.tell() - len(stream.unused_data))
                    if file.read(2) == b"\x1f\x8b":
                        file.seek(behind)
                        stream = zlib.decompressobj(_EITHER)
    except zlib.error as error:
        raise DataError(case, f"{path} is damaged: its compressed voxels do not unpack") from error
    if unpacked < expected or (exact and unpacked > expected):
        amount = f"more than {expected}" if unpacked > expected else str(unpacked)
        raise DataError(
            case,
            f"{path} unpacks to {amount} bytes, its header says {expected}: "
            "the header does not fit the data",
        )
