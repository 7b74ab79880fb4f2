"""One process at a time for one file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import RequestError
from bench.fetch.progress import Meter


@contextmanager
def alone(path: Path, *, doing: str, meter: Meter) -> Iterator[None]:
    """Hold the lock of `path`; whoever comes second says so and waits. A kill frees the lock."""
    from filelock import FileLock, Timeout

    lock = FileLock(path.parent / f".{path.name}.lock")
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            meter.say(f"another process is {doing} {path.name}; waiting for it")
            lock.acquire()
    except OSError as error:
        raise RequestError(
            f"cannot write in {path.parent}: {error.strerror or error}; choose another folder"
        ) from error
    try:
        yield
    finally:
        lock.release()
