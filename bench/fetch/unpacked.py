"""The note in a folder that an archive was unpacked there whole: `.unpacked.json`."""

from __future__ import annotations

import json
from pathlib import Path

from bench.fetch.checksum import digests
from bench.fetch.progress import Silent
from bench.fetch.verified import read_note, write_json

NOTE = ".unpacked.json"


def is_unpacked(archive: Path, into: Path) -> bool:
    """Was this archive unpacked there? True as well when the archive is gone: it did its work."""
    try:
        note = json.loads((into / NOTE).read_text(encoding="utf-8"))
        if not archive.exists():
            return bool(note["archive"] == archive.name)
        status = archive.stat()
        if status.st_size != note["bytes"]:
            return False
        if status.st_mtime_ns == note["mtime_ns"]:
            return True
        return bool(_sha256(archive) == note["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return False  # without a readable note the folder counts as made by someone else


def write_unpacked(archive: Path, folder: Path, *, members: int) -> None:
    """Written before the folder gets its final name, so that the two come as one."""
    status = archive.stat()
    write_json(
        folder / NOTE,
        {
            "archive": archive.name,
            "bytes": status.st_size,
            "mtime_ns": status.st_mtime_ns,
            "sha256": _sha256(archive),
            "members": members,
        },
    )


def _sha256(archive: Path) -> str:
    """From the note that the download left, where it speaks of this very file."""
    note = read_note(archive)
    known = note.get("sha256") if note is not None else None
    if isinstance(known, str):
        return known
    return digests(archive, md5=False, meter=Silent()).sha256
