"""An archive into a folder: there whole, or not there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bench.errors import RequestError
from bench.fetch.extract import extract
from bench.fetch.lock import alone
from bench.fetch.progress import Meter, metered, terminal_meter
from bench.fetch.unpacked import is_unpacked, write_unpacked

# Volumes shrink by 1 to 5 times, sparse label maps by some 60 at most; deflate's utmost is 1032.
USUAL_RATIO = 100
USUAL_FLOOR = 1 << 30
MAX_MEMBERS = 500_000


def unpack(
    archive: Path | str,
    into: Path | str,
    *,
    max_bytes: int | None = None,
    max_members: int = MAX_MEMBERS,
    progress: Meter | None = None,
) -> Path:
    """The folder `into` with the members of a zip or tar (plain, gz, bz2, xz) archive.

    max_bytes: more than this is refused as a bomb. Default: 100 times the archive's own size, at
    least 1 GiB.
    Modes, owners and times of the members are not taken over. Whoever is killed in the middle
    leaves `.<into>.unpacking`, which the next call clears away.
    """
    archive, into = Path(archive).absolute(), Path(into).absolute()
    if is_unpacked(archive, into):
        return into
    if not archive.is_file():
        raise RequestError(f"there is no archive {archive} to unpack into {into}")
    meter = progress if progress is not None else terminal_meter()
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(
            f"cannot make the folder {into.parent}: {error.strerror}; choose another folder"
        ) from error
    with alone(into, doing="unpacking", meter=meter):
        if not is_unpacked(archive, into):
            _check_free(archive, into)
            _unpack(archive, into, max_bytes=max_bytes, max_members=max_members, meter=meter)
    return into


def _check_free(archive: Path, into: Path) -> None:
    """Nothing that someone else put there is ever overwritten."""
    empty = into.is_dir() and not into.is_symlink() and not any(into.iterdir())
    if os.path.lexists(into) and not empty:
        raise RequestError(
            f"{into} is there already and was not made from this {archive.name}; "
            "move it away to have the archive unpacked there"
        )


def _unpack(
    archive: Path, into: Path, *, max_bytes: int | None, max_members: int, meter: Meter
) -> None:
    size = archive.stat().st_size
    if max_bytes is None:
        max_bytes = max(USUAL_RATIO * size, USUAL_FLOOR)
    # A sibling: a rename is one step only inside one file system.
    fresh = into.with_name(f".{into.name}.unpacking")
    if fresh.exists():
        shutil.rmtree(fresh)  # left by a run that was killed
    try:
        fresh.mkdir()
        with metered(meter):
            meter.start(f"unpacking {archive.name}", total=size, done=0)
            members = extract(
                archive, fresh, max_bytes=max_bytes, max_members=max_members, meter=meter
            )
            meter.move(size)
        write_unpacked(archive, fresh, members=members)
        if into.exists():
            into.rmdir()
        os.rename(fresh, into)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
