"""The note beside a file that it was read and found right: `<name>.ok`."""

from __future__ import annotations

import json
import os
from pathlib import Path

from bench.fetch.checksum import Digests
from bench.fetch.remote import RemoteFile


def note_of(path: Path) -> Path:
    return path.with_name(path.name + ".ok")


def read_note(path: Path) -> dict[str, object] | None:
    """The note, if it speaks of the file as it is now (same size, same time of change)."""
    try:
        status = path.stat()
        note = json.loads(note_of(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # without a readable note the file is read again: slower, never wrong
    if not isinstance(note, dict):
        return None
    now = (status.st_size, status.st_mtime_ns)
    return note if (note.get("bytes"), note.get("mtime_ns")) == now else None


def is_verified(path: Path, remote: RemoteFile) -> bool:
    """Was this very file checked against this very card? Costs two stats and a small read."""
    note = read_note(path)
    if note is None:
        return False
    stated = {"bytes": remote.bytes, "sha256": remote.sha256, "md5": remote.md5}
    return all(note.get(key) == value for key, value in stated.items() if value is not None)


def write_note(path: Path, found: Digests, remote: RemoteFile) -> None:
    """Write the note atomically, after the file has its final name."""
    note = {
        "url": remote.url,
        "bytes": found.bytes,
        "mtime_ns": path.stat().st_mtime_ns,
        "sha256": found.sha256,
        "md5": found.md5,
    }
    write_json(note_of(path), note)


def write_json(path: Path, content: dict[str, object]) -> None:
    """A small JSON file that is there whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(fresh, path)
