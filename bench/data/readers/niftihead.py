"""The first bytes of a NIfTI file, looked at before nibabel does.

nibabel reads what a header extension claims to be long, out of a compressed file as well: a few kB
could take all memory. And it would ask every format that it knows, some of which parse XML.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from bench.errors import DataError

_LONGEST = 1 << 26
"""Bytes before the voxels. Real extensions hold some 100 kB."""
_HEADERS: dict[int, tuple[Literal[1, 2], int, str]] = {348: (1, 108, "f"), 540: (2, 168, "q")}
"""Bytes of a header -> its version, where the start of the voxels stands in it, and as what."""


def check_head(path: Path, case: str) -> Literal[1, 2]:
    """The version of the format; DataError where there is none, or where no voxels can follow."""
    opener: Callable[..., gzip.GzipFile] = gzip.open if path.name.lower().endswith(".gz") else open  # type: ignore[assignment]
    try:
        with opener(path, "rb") as file:
            head = file.read(544)
            for order in "<>":
                size = struct.unpack(f"{order}i", head[:4])[0] if len(head) >= 4 else 0
                if size in _HEADERS and len(head) >= size:
                    version, at, kind = _HEADERS[size]
                    [start] = struct.unpack_from(f"{order}{kind}", head, at)
                    _check_extensions(path, case, file, order, size, start)
                    return version
    except (OSError, EOFError, zlib.error) as error:
        reason = str(error) or type(error).__name__
        raise DataError(case, f"{path} cannot be read as NIfTI: {reason}") from error
    raise DataError(case, f"{path} cannot be read as NIfTI: it does not begin with its header")


def _check_extensions(
    path: Path, case: str, file: gzip.GzipFile, order: str, size: int, start: float
) -> None:
    """Each lies before the voxels."""
    if not 0 <= start <= _LONGEST:
        raise DataError(case, f"{path} is broken: its voxels are to start at byte {start:g}")
    file.seek(size)
    extender = file.read(4)
    at = size + 4
    if len(extender) < 4 or extender[0] == 0:
        return
    if start < at:
        raise DataError(case, f"{path} is broken: its header leaves no room for its extension")
    while at + 16 <= start:
        file.seek(at)
        said = file.read(4)
        [length] = struct.unpack(f"{order}i", said) if len(said) == 4 else [0]
        if length < 8 or at + length > start:
            raise DataError(case, f"{path} is broken: a header extension of {length} bytes")
        at += length
