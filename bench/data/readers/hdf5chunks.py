"""The chunks of an HDF5 array, each unpacked here before HDF5 unpacks it.

HDF5 unpacks a chunk as far as it goes, through as many filters as its file names, and only then
looks at how long it is: 5 kB of two deflate filters took 260 MB.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import h5py
from h5py import h5z

from bench.errors import DataError

_PACKING = (h5z.FILTER_DEFLATE, h5z.FILTER_LZF)
_READ = (h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32, *_PACKING)
# A filter's name in the file is not repeated: it may be anybody's.
_NAMES = {
    h5z.FILTER_SZIP: "szip",
    h5z.FILTER_NBIT: "nbit",
    h5z.FILTER_SCALEOFFSET: "scaleoffset",
}
_CHECKSUM = 4
"""Bytes that fletcher32 adds."""
_LARGEST = 1 << 28
_LARGEST_LZF = 1 << 20
"""h5py makes no larger ones by itself. LZF packs up to 88 to 1, and nothing here can stop it."""
_MOST = 1 << 18
"""HDF5 takes some 600 bytes and 20 microseconds for each chunk that it reads, however small."""


def list_chunks(entry: Any, path: Path, case: str, key: str, *, expected: int) -> list[Any]:
    """Where each chunk lies; none where the array lies in one piece. Nothing is unpacked.

    expected  bytes of the whole array
    """
    if entry.chunks is None:
        return []
    size = _size(entry)
    count = prod(-(-side // step) for side, step in zip(entry.shape, entry.chunks, strict=True))
    # A chunk is unpacked whole, however little of it lies in the array.
    if size > max(expected, _LARGEST):
        raise DataError(
            case, f"{path}: '{key}' is stored in chunks of {size} bytes; save it in smaller ones"
        )
    if count > _MOST:
        raise DataError(
            case, f"{path}: '{key}' is stored in {count} chunks; save it in larger ones"
        )
    _check_filters(_filters(entry), size, path, case, key)
    found: list[Any] = []

    def note(chunk: Any) -> bool | None:
        found.append(chunk)
        return len(found) > count or None  # an index may lead in circles: True ends it

    entry.id.chunk_iter(note)
    if len(found) > count or len({chunk.chunk_offset for chunk in found}) < len(found):
        raise _damaged(path, case, key, size)
    return found


def check_chunks(entry: Any, chunks: Sequence[Any], path: Path, case: str, key: str) -> None:
    """Each unpacks to the size of a chunk, and is left as soon as it is longer."""
    size, filters = _size(entry) if chunks else 0, _filters(entry)
    for chunk in chunks:
        # A chunk may have skipped filters: where they made it longer.
        used = [code for at, code in enumerate(filters) if not chunk.filter_mask >> at & 1]
        packed = next((at for at, code in enumerate(used) if code in _PACKING), len(used))
        length = size + _CHECKSUM * used[:packed].count(h5z.FILTER_FLETCHER32)
        if packed == len(used):
            whole = chunk.size == length
        elif chunk.size > length + length // 512 + 64:  # more than any packing adds
            whole = False
        else:
            whole = used[packed] == h5z.FILTER_LZF or _inflates(entry, chunk, length)
        if not whole:
            raise _damaged(path, case, key, size)


def _inflates(entry: Any, chunk: Any, length: int) -> bool:
    _, content = entry.id.read_direct_chunk(chunk.chunk_offset)
    stream = zlib.decompressobj()
    return len(stream.decompress(content, length + 1)) == length and stream.eof


def _check_filters(filters: Sequence[int], size: int, path: Path, case: str, key: str) -> None:
    for code in filters:
        if code not in _READ:
            name = _NAMES.get(code, f"number {code}")
            raise DataError(
                case, f"{path}: '{key}' uses the HDF5 filter {name}; save it with gzip, or plain"
            )
    if sum(code in _PACKING for code in filters) > 1:
        raise DataError(case, f"{path}: '{key}' is packed more than once; save it with gzip alone")
    if h5z.FILTER_LZF in filters and size > _LARGEST_LZF:
        raise DataError(
            case, f"{path}: '{key}' is stored in LZF chunks of {size} bytes; save it with gzip"
        )


def _filters(entry: h5py.Dataset) -> list[int]:
    """Their numbers, in the order in which they were applied."""
    made = entry.id.get_create_plist()
    return [made.get_filter(at)[0] for at in range(made.get_nfilters())]


def _size(entry: h5py.Dataset) -> int:
    """Bytes of a chunk. The file's own type counts: NumPy's may be wider."""
    return int(prod(entry.chunks) * entry.id.get_type().get_size())


def _damaged(path: Path, case: str, key: str, size: int) -> DataError:
    return DataError(
        case,
        f"{path}: '{key}' is damaged and does not unpack to chunks of {size} bytes; get it again",
    )
