"""Does a file hold what its card says?"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from bench.fetch.progress import Meter, metered
from bench.fetch.remote import RemoteFile

CHUNK = 1 << 20
# Below this a check takes less time than reading a line about it.
WORTH_SHOWING = 200_000_000


@dataclass(frozen=True)
class Digests:
    """What was found in a file. md5 only where the card states one."""

    bytes: int
    sha256: str
    md5: str | None


def digests(path: Path, *, md5: bool, meter: Meter) -> Digests:
    """Size and hashes of a file in one pass."""
    size = path.stat().st_size
    if size < WORTH_SHOWING:
        return _read(path, md5=md5, meter=None)
    with metered(meter):
        meter.start(f"checking {path.name.removesuffix('.part')}", total=size, done=0)
        return _read(path, md5=md5, meter=meter)


def _read(path: Path, *, md5: bool, meter: Meter | None) -> Digests:
    strong = hashlib.sha256()
    # A published md5 guards against accidents here, not against forgery.
    weak = hashlib.md5(usedforsecurity=False) if md5 else None
    done = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            strong.update(chunk)
            if weak is not None:
                weak.update(chunk)
            done += len(chunk)
            if meter is not None:
                meter.move(done)
    return Digests(bytes=done, sha256=strong.hexdigest(), md5=weak.hexdigest() if weak else None)


def difference(found: Digests, remote: RemoteFile) -> str | None:
    """What differs from the card, or None. The size first: it tells more than a hash."""
    if remote.bytes is not None and found.bytes != remote.bytes:
        return f"its size is {found.bytes} bytes, expected {remote.bytes}"
    if remote.sha256 is not None and found.sha256 != remote.sha256:
        return f"its sha256 is {found.sha256}, expected {remote.sha256}"
    if remote.md5 is not None and found.md5 != remote.md5:
        return f"its md5 is {found.md5}, expected {remote.md5}"
    return None
