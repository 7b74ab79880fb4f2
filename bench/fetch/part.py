"""The unfinished file `<name>.part`, and beside it what its bytes belong to."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import BinaryIO

from bench.fetch.remote import RemoteFile
from bench.fetch.verified import write_json


@dataclass(frozen=True)
class Origin:
    """Which version of which file the server was sending."""

    url: str
    bytes: int | None
    sha256: str | None
    md5: str | None
    total: int | None
    etag: str | None
    modified: str | None

    @property
    def validator(self) -> str | None:
        """What If-Range may carry: a strong ETag, else the date. A weak ETag promises no bytes."""
        if self.etag is not None and not self.etag.startswith("W/"):
            return self.etag
        return self.modified

    def belongs_to(self, remote: RemoteFile) -> bool:
        """Same address and same statements; and a way to notice bytes of two versions glued."""
        same = (self.url, self.bytes, self.sha256, self.md5) == (
            remote.url,
            remote.bytes,
            remote.sha256,
            remote.md5,
        )
        return same and (self.validator is not None or self.etag is not None or remote.has_hash)


class Part:
    """The part file of one download. Its lock is held by whoever has one of these."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(target.name + ".part")
        self.origin_path = target.with_name(target.name + ".part.json")
        # Bytes of several connections, or of an unknown number: a seam may be wrong.
        self.joined = self.size() > 0

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def origin(self, remote: RemoteFile) -> Origin | None:
        """The origin of the bytes at hand, or None where they cannot be gone on with."""
        try:
            content = json.loads(self.origin_path.read_text(encoding="utf-8"))
            found = Origin(**{field.name: content[field.name] for field in fields(Origin)})
        except (OSError, ValueError, TypeError, KeyError):
            return None  # bytes of unknown origin are fetched again
        return found if found.belongs_to(remote) else None

    def begin(self, origin: Origin) -> None:
        """Start at byte 0. The old bytes go first: they must never pass for the new origin's."""
        self.clear()
        self.joined = False
        write_json(self.origin_path, asdict(origin))

    def open(self, *, append: bool) -> BinaryIO:
        self.joined = self.joined or append
        return self.path.open("ab" if append else "wb")

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)
        self.origin_path.unlink(missing_ok=True)
