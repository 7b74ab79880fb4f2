"""Keeps a folder of entries below a number of bytes: the least recently used go first."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from bench.models.embeddings.entry import SCRATCH, SUFFIX

KEEP = 0.9
"""Share of the bound that is left after tidying, so that it is not done at every entry."""

ABANDONED = 3600.0
"""Seconds after which a half-written file is nobody's."""


@dataclass
class Room:
    """Looks at the folder when this process has written a hundredth of the bound since it last
    did, and before its first entry. So the bound is kept to a hundredth for each writer."""

    folder: Path
    max_bytes: int
    _since: int | None = field(default=None, repr=False)

    def used(self, written: int) -> None:
        """Say that an entry of so many bytes was put into the folder."""
        if self._since is None or self._since + written > self.max_bytes / 100:
            self.tidy()
            self._since = 0
        else:
            self._since += written

    def tidy(self) -> None:
        """Remove what is too much, and what killed writers left."""
        with FileLock(self.folder / ".lock"):  # two at once would remove twice as much
            files = sorted(self._files())
            total = sum(size for _, size, _ in files)
            if total > self.max_bytes:
                for _, size, path in files:
                    if total <= self.max_bytes * KEEP:
                        break
                    path.unlink(missing_ok=True)
                    total -= size

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """(last use, bytes, path) of every entry."""
        now = time.time()
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = Path(folder, name)
                try:
                    status = path.stat()
                except FileNotFoundError:
                    continue  # a writer finished it, or gave it up, since the folder was listed
                if name.endswith(SCRATCH) and now - status.st_mtime > ABANDONED:
                    path.unlink(missing_ok=True)
                elif name.endswith(SUFFIX):
                    yield status.st_mtime, status.st_size, path


def mark_used(path: Path) -> None:
    """The time of change is the time of last use: that of reading is often not kept."""
    try:
        os.utime(path)
    except OSError:
        return  # removed by another process, or a folder we may only read: the entry is mapped
