"""What a card says of a file elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bench.errors import RequestError


@dataclass(frozen=True)
class RemoteFile:
    """A file at a URL and what is known of it; `name` is its last part of the URL unless given."""

    url: str
    bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None
    name: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RequestError(f"{self.url!r} is no http or https URL; mend the card")
        name = self.name or unquote(parts.path.rsplit("/", 1)[-1])
        if not name or name.startswith(".") or re.search(r'[/\\:\x00-\x1f"<>|?*]', name):
            raise RequestError(f"{name!r} is no file name for {self.url}; give the card a name")
        if self.bytes is not None and self.bytes <= 0:
            raise RequestError(
                f"{name}: a size of {self.bytes} bytes makes no sense; mend the card"
            )
        object.__setattr__(self, "name", name)
        for kind, length in (("sha256", 64), ("md5", 32)):
            value = getattr(self, kind)
            if value is None:
                continue
            if not re.fullmatch(rf"[0-9a-fA-F]{{{length}}}", value):
                raise RequestError(
                    f"{name}: {value!r} is no {kind} ({length} hexadecimal digits); mend the card"
                )
            object.__setattr__(self, kind, value.lower())

    @property
    def has_hash(self) -> bool:
        return self.sha256 is not None or self.md5 is not None

    def by_hand(self, folder: Path) -> str:
        """What a user without this way to the file can do."""
        return f"put the file by hand in {folder} as {self.name}"
