"""What source files look like: size and time at a glance, a hash where those changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from bench.contract import Source
from bench.errors import DataError

Stamp = tuple[str, int, int]
"""A file's name, its bytes and its time of change in ns."""


def stamps_of(source: Source, root: Path | None) -> tuple[Stamp, ...]:
    """Names are relative to the copy's root, so that a moved copy is still the same."""
    return tuple(_stamp(file, root) for file in source.files)


def _stamp(file: Path, root: Path | None) -> Stamp:
    name = file.relative_to(root) if root is not None and file.is_relative_to(root) else file
    try:
        facts = file.stat()
    except OSError:
        return name.as_posix(), -1, 0  # reading the case says what is missing
    return name.as_posix(), facts.st_size, facts.st_mtime_ns


def hash_files(source: Source) -> str:
    """sha256 over the files' bytes in the order of their names; "" for a generated case."""
    if not source.files:
        return ""
    digest = hashlib.sha256()
    for file in sorted(source.files, key=lambda file: file.name):
        try:
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        except OSError as error:
            raise DataError(
                source.case, f"{file}: {error.strerror}; put it back, or remove the case"
            ) from None
    return digest.hexdigest()


@cache
def converter_hash() -> str:
    """Hash of the code that turns files into voxels: a mended reader converts anew."""
    here = Path(__file__).parent
    files = [here / "checks.py", here / "convert.py", *sorted((here / "readers").glob("*.py"))]
    return _hash_code(files)


def _hash_code(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
