"""One embedding on the disk: a safetensors file, mapped into memory, whole or not there at all."""

from __future__ import annotations

import itertools
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

SUFFIX, SCRATCH = ".safetensors", ".tmp"
_numbers = itertools.count()


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
    while True:
        seen = _which(path)
        try:
            return _read(path)
        except FileNotFoundError:
            return None
        except DamagedError:
            # safetensors opens a file twice, for its header and for its values. Where another
            # process replaced or removed it in between, the two did not belong together.
            if _which(path) == seen:
                raise


def _which(path: Path) -> tuple[int, int] | None:
    """What tells a file from the one that takes its place."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


def _read(path: Path) -> Entry:
    try:
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except (RuntimeError, SafetensorError) as error:  # torch's word, and safetensors' own
        raise DamagedError(" ".join(str(error).split())) from error
    if "checksum" not in facts or "seconds" not in facts:
        raise DamagedError("it says neither its checksum nor its cost")
    if facts["checksum"] != _checksum(tensors, facts["seconds"]):
        raise DamagedError("its checksum is another one")
    return Entry(
        arrays={name: tensor.numpy() for name, tensor in tensors.items()},
        seconds=float(facts["seconds"]),
    )


def write_entry(path: Path, tensors: Mapping[str, Tensor], *, seconds: float) -> int:
    """Put it in its place in one go; its size in bytes. Two writers of one entry do no harm."""
    scratch = path.with_name(f".{path.stem}.{os.getpid()}.{next(_numbers)}{SCRATCH}")
    cost = repr(seconds)
    facts = {"seconds": cost, "checksum": _checksum(tensors, cost)}
    content = save(dict(tensors), metadata=facts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(content)
        os.replace(scratch, path)
    except BaseException:
        if scratch.is_file():
            scratch.unlink(missing_ok=True)
        raise
    return len(content)


def _checksum(tensors: Mapping[str, Tensor], seconds: str) -> str:
    """CRC-32 over names, shapes, values and cost: a fifth of a millisecond a megabyte."""
    total = zlib.crc32(seconds.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        total = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), total)
        total = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, total)
    return f"{total:08x}"
