"""A file that is there whole or not at all."""

from __future__ import annotations

import glob
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import RequestError


class WriteError(RequestError, OSError):
    """A file that could not be written: a full disk, a folder that may only be read."""

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(f"cannot write {path}: {reason}; make room, or choose another folder")
        self.strerror = str(reason)


@contextmanager
def whole(path: Path, *, lasting: bool = False) -> Iterator[Path]:
    """A scratch file to write; it takes its place when the block ends well. Atomic: a reader sees
    the old file, or the whole new one. Two writers do each other no harm: the last one stays.

    lasting  it is on the disk when the block ends, whatever happens to the machine then
    """
    # Two containers that share a folder may have one process number.
    scratch = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield scratch
        if lasting:
            _sync(scratch)
        os.replace(scratch, path)
        if lasting:
            _sync(path.parent)
    except WriteError:
        raise
    except OSError as error:
        raise WriteError(path, error.strerror or error) from error
    finally:
        if os.path.lexists(scratch):  # a disk that may only be read refuses to remove nothing
            scratch.unlink(missing_ok=True)


def clear_scratch(path: Path) -> None:
    """What killed writers of this file left. Only for who is alone with it."""
    for scratch in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        scratch.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
