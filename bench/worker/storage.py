"""Embeddings of a confined process: the supervisor has the files, finds them and keeps them.

So no method can leave anything in a cache that another unit reads, beside what it computed for an
image; and what a hit spared is charged by the process that opened the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.models.embeddings.entry import Entry, map_entry, packed
from bench.worker.channel import MOST_FILES

OUT = "embedding"
"""How the files begin that are handed to the supervisor."""


@dataclass
class RemoteStorage:
    ask: Callable[..., tuple[dict[str, object], list[int]]]
    folder: Path

    def find(self, shelf: str, names: Sequence[str]) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for start in range(0, len(names), MOST_FILES):
            part = list(names[start : start + MOST_FILES])
            reply, files = self.ask("find_embeddings", shelf=shelf, names=part)
            found |= _mapped(reply["names"], files)
        return found

    def keep(self, shelf: str, entries: Mapping[str, Entry]) -> dict[str, Entry]:
        """Those that could not be stored stay in memory."""
        for place, entry in enumerate(entries.values()):
            content = packed(entry.arrays, seconds=entry.seconds)
            try:
                (self.folder / "out" / f"{OUT}{place}").write_bytes(content)
            except OSError:  # no room for temporary files: they stay in memory
                return dict(entries)
        reply, files = self.ask("keep_embeddings", shelf=shelf, names=list(entries))
        return {**entries, **_mapped(reply["names"], files)}


def _mapped(names: object, files: Sequence[int]) -> dict[str, Entry]:
    assert isinstance(names, list)
    try:
        return {name: map_entry(file, check=False) for name, file in zip(names, files, strict=True)}
    finally:
        for file in files:
            os.close(file)
