"""Texts from elsewhere, read whole: regular files alone, and none that would fill the memory."""

from __future__ import annotations

import errno
import json
import stat
from pathlib import Path
from typing import Any

LONGEST = 1 << 26


def read_small(path: Path, longest: int = LONGEST) -> bytes:
    """OSError where it is a pipe or a device, which may never end, or longer than `longest`."""
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode) and not stat.S_ISDIR(facts.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    with path.open("rb") as file:
        # Not `longest` at once: room is made for all that is asked for, whatever comes.
        content = file.read(min(facts.st_size, longest) + 1)
        if len(content) > facts.st_size:  # it has grown, or its size is not said
            content += file.read(longest + 1 - len(content))
    if len(content) > longest:
        raise OSError(
            errno.EFBIG, f"it is longer than the {longest} bytes that are read", str(path)
        )
    return content


def read_json(path: Path, longest: int = LONGEST) -> Any:
    """OSError or ValueError where it can't be read. A deep nesting is refused, and so is half of a
    pair of surrogates, which no text file can hold."""
    try:
        content = json.loads(read_small(path, longest))
        json.dumps(content, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    return content
