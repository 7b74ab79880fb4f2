"""Sizes for people, and room on the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.errors import RequestError

# Left free beside the file: logs, records and lock files must still fit.
SPARE = 64 * 1024 * 1024


def size_text(count: int) -> str:
    """1500 -> '1.5 kB', in the decimal units that download pages use."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"


def need_space(folder: Path, count: int, what: str) -> None:
    """Refuse at the start what would fill the disk in the middle."""
    free = shutil.disk_usage(folder).free
    if free < count + SPARE:
        raise RequestError(
            f"{what} needs {size_text(count)} in {folder}, where {size_text(free)} are free "
            f"({size_text(SPARE)} are kept spare); make room or choose another folder"
        )
