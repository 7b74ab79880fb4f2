"""One embedding on the disk: a safetensors file, mapped into memory, whole or not there at all.

Without torch: the process that keeps the cache is not the one that encodes.
"""

from __future__ import annotations

import itertools
import json
import mmap
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

SUFFIX, SCRATCH = ".safetensors", ".tmp"
_numbers = itertools.count()
_KINDS = {"F16": np.float16, "F32": np.float32}


class DamagedError(Exception):
    """A file that is there and is not what was written."""


@dataclass(frozen=True, eq=False)
class Entry:
    """arrays: name -> values of one image, without a batch axis; views of the file.

    seconds  what the encoder took for it when it was computed
    """

    arrays: Mapping[str, np.ndarray]
    seconds: float


def read_entry(path: Path) -> Entry | None:
    """The entry, every byte checked; None where there is none. Raises DamagedError."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return map_entry(descriptor)
    finally:
        os.close(descriptor)


def map_entry(descriptor: int, *, check: bool = True) -> Entry:
    """The entry in an open file, which may be closed afterwards. `check`: False where who opened
    it has looked at every byte."""
    try:
        view = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    except ValueError as error:
        raise DamagedError("it is empty") from error
    return parse_entry(view, check=check)


def parse_entry(content: mmap.mmap | bytes, *, check: bool = True) -> Entry:
    """The entry in a file's content, its arrays views of that."""
    try:
        start = 8 + int.from_bytes(content[:8], "little")
        header: dict[str, Any] = json.loads(content[8:start])
        facts = header.pop("__metadata__", {})
        arrays = {name: _array(content, start, header[name]) for name in sorted(header)}
        if start + sum(array.nbytes for array in arrays.values()) != len(content):
            raise ValueError("it is longer than its header says")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise DamagedError(f"no header of safetensors: {' '.join(str(error).split())}") from error
    if "checksum" not in facts or "seconds" not in facts:
        raise DamagedError("it says neither its checksum nor its cost")
    if check and facts["checksum"] != _checksum(arrays, facts["seconds"]):
        raise DamagedError("its checksum is another one")
    return Entry(arrays=arrays, seconds=float(facts["seconds"]))


def _array(content: mmap.mmap | bytes, start: int, said: Mapping[str, Any]) -> np.ndarray:
    begin, end = said["data_offsets"]
    shape, kind = tuple(said["shape"]), np.dtype(_KINDS[said["dtype"]])
    count = int(np.prod(shape, dtype=np.int64))
    if not 0 <= begin <= end <= len(content) - start or end - begin != count * kind.itemsize:
        raise ValueError("values that are not in the file")
    return np.frombuffer(content, kind, count, start + begin).reshape(shape)


def write_entry(path: Path, arrays: Mapping[str, np.ndarray], *, seconds: float) -> int:
    """Put it in its place in one go; its size in bytes. Two writers of one entry do no harm."""
    scratch = path.with_name(f".{path.stem}.{os.getpid()}.{next(_numbers)}{SCRATCH}")
    content = packed(arrays, seconds=seconds)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(content)
        os.replace(scratch, path)
    except BaseException:
        if scratch.is_file():
            scratch.unlink(missing_ok=True)
        raise
    return len(content)


def packed(arrays: Mapping[str, np.ndarray], *, seconds: float) -> bytes:
    """An entry's file."""
    solid = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    cost = repr(seconds)
    return save(solid, metadata={"seconds": cost, "checksum": _checksum(solid, cost)})


def _checksum(arrays: Mapping[str, np.ndarray], seconds: str) -> str:
    """CRC-32 over names, shapes, values and cost: a fifth of a millisecond a megabyte."""
    total = zlib.crc32(seconds.encode())
    for name in sorted(arrays):
        array = arrays[name]
        total = zlib.crc32(f"{name} torch.{array.dtype} {array.shape}".encode(), total)
        total = zlib.crc32(array.reshape(-1).view(np.uint8).data, total)
    return f"{total:08x}"
