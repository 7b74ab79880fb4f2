"""Files between a supervisor and its worker, `<worker's folder>/in` and `/out`.

The worker may put anything in their place, and this process has rights that the worker has not: a
link there must not be followed, or a method would have its supervisor open the labels; a pipe must
not be waited for; a file must not be larger than what it is taken for.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from bench.errors import MethodError
from bench.record.whole import whole

MOST_STATE = 2**36
"""Bytes of a method's state."""


@contextmanager
def opened_handed(path: Path, *, most: int) -> Iterator[BinaryIO]:
    """A file that the worker left. MethodError where it is anything else, or larger."""
    with _folder_of(path) as folder:
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(path.name, flags, dir_fd=folder)
        except OSError as error:
            raise _unusable(path, _why(error)) from error
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1:
            raise _unusable(path, "it is no plain file")
        if facts.st_size > most:
            raise _unusable(path, f"it has {facts.st_size} bytes, {most} are the most")
        with open(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def read_handed(path: Path, *, most: int) -> bytes:
    """Read whole: whoever wrote the file may still have it open."""
    with opened_handed(path, most=most) as file:
        return file.read(most)


def copy_handed(source: Path, target: Path, *, most: int = MOST_STATE) -> None:
    """A copy of the worker's file, there whole or not at all."""
    with (
        opened_handed(source, most=most) as file,
        whole(target) as scratch,
        scratch.open("wb") as copied,
    ):
        shutil.copyfileobj(file, copied, 2**20)


def give_copy(source: Path, target: Path) -> None:
    """Puts a copy into the worker's folder, whatever the worker made of that."""
    with _folder_of(target) as folder, source.open("rb") as file:
        try:
            with suppress(FileNotFoundError):
                os.unlink(target.name, dir_fd=folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(target.name, flags, 0o600, dir_fd=folder)
        except OSError as error:
            raise _unusable(target, _why(error)) from error
        with open(descriptor, "wb") as copied:
            shutil.copyfileobj(file, copied, 2**20)


@contextmanager
def _folder_of(path: Path) -> Iterator[int]:
    """The folder, open. Its own parent is the worker's folder, which no worker can replace."""
    try:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path.parent, flags)
    except OSError as error:
        raise _unusable(path, _why(error)) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _why(error: OSError) -> str:
    return "it is a link" if error.errno == errno.ELOOP else error.strerror or str(error)


def _unusable(path: Path, why: str) -> MethodError:
    return MethodError(f"its process left no {path.parent.name}/{path.name} to be used: {why}")
