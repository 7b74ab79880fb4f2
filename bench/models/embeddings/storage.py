"""Where embeddings are kept: a folder, or whoever keeps the folder for a confined process."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from bench.models.embeddings.entry import SUFFIX, DamagedError, Entry, read_entry, write_entry
from bench.models.embeddings.room import Room, mark_used

MAX_BYTES = 20 * 10**9

log = logging.getLogger(__name__)


class Storage(Protocol):
    def find(self, shelf: str, names: Sequence[str]) -> dict[str, Entry]:
        """Those of the names that are there. `shelf`: the key of a recipe."""

    def keep(self, shelf: str, entries: Mapping[str, Entry]) -> dict[str, Entry]:
        """Stored and mapped back, or as they were where nothing can be stored."""


@dataclass
class FolderStorage:
    """`<folder>/<scope>/<recipe>/<hash of the input>.safetensors`; of all scopes together the least
    recently used are removed.

    scope  units that test on the same patients share one, so that what a method knows of the labels
           of its own patients reaches no unit that is tested on them
    """

    folder: Path
    max_bytes: int = MAX_BYTES
    scope: str = ""
    _full: bool = field(default=False, repr=False)

    def path(self, shelf: str, name: str) -> Path:
        return self.folder / self.scope / shelf / f"{name}{SUFFIX}"

    def find(self, shelf: str, names: Sequence[str]) -> dict[str, Entry]:
        found = {name: self._find(self.path(shelf, name)) for name in names}
        return {name: entry for name, entry in found.items() if entry is not None}

    def _find(self, path: Path) -> Entry | None:
        try:
            entry = read_entry(path)
        except DamagedError as error:
            log.warning("embedding %s is damaged (%s); it is computed again", path, error)
            path.unlink(missing_ok=True)
            return None
        except OSError as error:
            log.warning("embedding %s cannot be read (%s); it is computed again", path, error)
            return None
        if entry is not None:
            mark_used(path)
        return entry

    def keep(self, shelf: str, entries: Mapping[str, Entry]) -> dict[str, Entry]:
        return {name: self._keep(self.path(shelf, name), entry) for name, entry in entries.items()}

    def _keep(self, path: Path, entry: Entry) -> Entry:
        """In memory where the disk takes no more."""
        if self._full:
            return entry
        try:
            size = write_entry(path, entry.arrays, seconds=entry.seconds)
            kept = read_entry(path)
            self._room.used(size)
        except OSError as error:
            self._full = True
            log.warning(
                "cannot keep embeddings in %s (%s); they stay in memory and are computed again "
                "in the next run; make room, or choose another data.cache",
                self.folder,
                error.strerror or error,
            )
            return entry
        return kept or entry  # another process may have removed it at once

    @cached_property
    def _room(self) -> Room:
        return Room(self.folder, self.max_bytes)


_current: ContextVar[Storage | None] = ContextVar("embedding_storage", default=None)


@contextmanager
def use_storage(storage: Storage) -> Iterator[None]:
    """Every cache that is opened meanwhile keeps its embeddings there, whatever folder it names."""
    token = _current.set(storage)
    try:
        yield
    finally:
        _current.reset(token)


def current_storage() -> Storage | None:
    return _current.get()
