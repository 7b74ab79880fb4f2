"""Members of an archive, each checked, written into a fresh folder."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bench.errors import RequestError
from bench.fetch.connect import flat
from bench.fetch.members import FOLDER, Member, UnsafeError, check_kind, safe_parts
from bench.fetch.progress import Meter
from bench.fetch.size import need_space, size_text
from bench.fetch.tars import tar_members
from bench.fetch.unpacked import NOTE
from bench.fetch.zips import declared_bytes, is_zip, zip_members

CHUNK = 1 << 20
# A tar's headers and padding may take as much as its files, and a little for tiny ones.
HEADERS = 1 << 20
# What broken archives raise. OSError: bz2 and gzip use it for bad data, disks for bad blocks.
# NotImplementedError: a compression that zipfile does not know.
BROKEN = (
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


def extract(archive: Path, folder: Path, *, max_bytes: int, max_members: int, meter: Meter) -> int:
    """Every member into `folder`, which is fresh and holds no link; the number of members."""
    written = count = 0
    with archive.open("rb") as raw, _refusals(archive):
        for member in _members(archive, folder, raw, max_bytes=max_bytes):
            check_kind(member)
            target = folder.joinpath(*safe_parts(member.name))
            if target == folder / NOTE or (target == folder and member.kind != FOLDER):
                raise UnsafeError(f"{member.name!r} has a name that is not free")
            count += 1
            if count > max_members:
                raise UnsafeError(f"it holds more than {max_members} members")
            if written + member.size > max_bytes:
                raise UnsafeError(f"it unpacks to more than the {size_text(max_bytes)} allowed")
            written += _write(archive, member, target)
            meter.move(raw.tell())
    return count


def _members(archive: Path, folder: Path, raw: BinaryIO, *, max_bytes: int) -> Iterator[Member]:
    """Reading only; what a broken archive raises becomes one error that names it."""
    with _reading(archive):
        zipped = is_zip(raw)
        # A compressed tar does not say its content's size; it is no smaller than itself.
        declared = declared_bytes(raw) if zipped else archive.stat().st_size
        if zipped and declared > max_bytes:
            raise UnsafeError(
                f"it unpacks to {size_text(declared)}, more than the {size_text(max_bytes)} allowed"
            )
        need_space(folder, declared, f"unpacking {archive.name}")
        yield from zip_members(raw) if zipped else tar_members(raw, limit=2 * max_bytes + HEADERS)


def _write(archive: Path, member: Member, target: Path) -> int:
    """One member; the number of bytes written."""
    done = 0
    try:
        if member.kind == FOLDER:
            target.mkdir(parents=True, exist_ok=True)
            return 0
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            for chunk in _content(archive, member):
                done += len(chunk)
                file.write(chunk)
    except (FileExistsError, NotADirectoryError) as error:
        raise UnsafeError(f"{member.name!r} stands in it twice") from error
    except (OSError, ValueError) as error:
        raise RequestError(
            f"cannot write {member.name!r} of {archive}: {flat(error)}; nothing was unpacked"
        ) from error
    if done != member.size:
        raise _corrupt(archive, f"{member.name!r} has {done} bytes and says {member.size}")
    return done


def _content(archive: Path, member: Member) -> Iterator[bytes]:
    with _reading(archive), member.open() as source:
        while chunk := source.read(CHUNK):
            yield chunk


def _corrupt(archive: Path, reason: str) -> RequestError:
    return RequestError(
        f"{archive} is cut short or corrupted ({reason}); nothing was unpacked: "
        "delete it and download it again"
    )


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    try:
        yield
    except BROKEN as error:
        raise _corrupt(archive, flat(error)) from error


@contextmanager
def _refusals(archive: Path) -> Iterator[None]:
    try:
        yield
    except UnsafeError as error:
        raise RequestError(
            f"{archive} is refused: {error}; nothing was unpacked. "
            "If you trust its source unpack it by hand"
        ) from error
