"""From a card to its file on this disk, and to the hash that a unit's key takes."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from bench.data.places import cache_folder
from bench.errors import RequestError
from bench.fetch import Meter, download
from bench.models.checkpoints.card import CheckpointCard

SHIPPED = Path(__file__).resolve().parents[1] / "nano" / "weights"


def weights_folder(cache: Path | str | None) -> Path:
    """Where checkpoints are put, by us or by hand. None: the user's own cache folder."""
    return cache_folder(cache) / "weights"


def checkpoint_place(card: CheckpointCard, cache: Path | str | None = None) -> Path:
    """Where the file lies or would lie."""
    return (SHIPPED if card.shipped else weights_folder(cache)) / card.file


def checkpoint_file(
    card: CheckpointCard, cache: Path | str | None = None, *, progress: Meter | None = None
) -> Path:
    """The file: out of the package, of the cache, or downloaded (or drawn) into the cache."""
    place = checkpoint_place(card, cache)
    if card.remote is not None:
        return download(
            card.remote, place.parent, progress=progress, otherwise="or go on with backbone=nano"
        )
    if place.is_file():
        return place
    if card.untrained:
        from bench.models.checkpoints.untrained import write_untrained  # it needs torch

        write_untrained(card, place)
        return place
    if card.shipped:
        raise RequestError(
            f"{card.family} {card.name}: {place} is missing from the package; install it again"
        )
    raise RequestError(
        f"{card.family} {card.name} cannot be downloaded for you: {card.manual}; "
        f"put the file in {place.parent} as {card.file}, or go on with backbone=nano"
    )


def checkpoint_hash(card: CheckpointCard, cache: Path | str | None = None) -> str:
    """What a result depends on: the pinned sha256, or `md5:...` where only that is published.

    A shipped file, or one that the user brought, has no pinned hash: its own sha256.
    """
    if card.sha256 is not None:
        return card.sha256.lower()
    if card.md5 is not None:
        return f"md5:{card.md5.lower()}"
    place = checkpoint_file(card, cache)
    status = place.stat()
    return _sha256(place, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, changed: int) -> str:
    """`size` and `changed` make another file at the same path another question."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
