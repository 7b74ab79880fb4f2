"""What a method prints while it is checked goes into a file; the verdicts stay readable."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def printing_into(file: Path) -> Iterator[TextIO]:
    """By descriptor, so that libraries and child processes are caught as well. Yields the stream
    that was standard output before."""
    _flush()
    kept = [os.dup(stream) for stream in (1, 2)]
    try:
        with file.open("wb") as log, open(os.dup(kept[0]), "w", encoding="utf-8") as screen:
            for stream in (1, 2):
                os.dup2(log.fileno(), stream)
            yield screen
    finally:
        _flush()
        for stream, before in zip((1, 2), kept, strict=True):
            os.dup2(before, stream)
            os.close(before)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
