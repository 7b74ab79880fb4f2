"""Where a copy may lie: `data.root` points at the set, above it, or at its archive's folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path


def folders(root: Path | None, names: Sequence[str], inside: Sequence[str] = ()) -> Iterator[Path]:
    """Folders that exist, nearest first: root, root/<name>, and each of them with each `inside`."""
    if root is None:
        return
    for base in (root, *(root / name for name in names)):
        for folder in (base, *(base / part for part in inside)):
            if folder.is_dir():
                yield folder
