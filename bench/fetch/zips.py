"""The members of a zip archive."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from bench.fetch.members import FILE, FOLDER, Member, UnsafeError
from bench.record.zipped import unbounded_packing

KINDS = {
    0: FILE,  # made on a system without Unix modes
    stat.S_IFREG: FILE,
    stat.S_IFDIR: FOLDER,
    stat.S_IFLNK: "symbolic link",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
}
ENCRYPTED = 0x1


def is_zip(raw: BinaryIO) -> bool:
    """By the first bytes. zipfile.is_zipfile looks at the end, where a tar may hold a zip."""
    start = raw.read(4)
    raw.seek(0)
    return start in (b"PK\x03\x04", b"PK\x05\x06")


def declared_bytes(raw: BinaryIO) -> int:
    """What the archive says it unpacks to: known at once, as a zip has its list at the end."""
    with zipfile.ZipFile(raw) as archive:
        return sum(info.file_size for info in archive.infolist())


def zip_members(raw: BinaryIO) -> Iterator[Member]:
    """In the archive's order. A member's check sum is verified when it is read to its end."""
    with zipfile.ZipFile(raw) as archive:
        for info in archive.infolist():
            # orig_filename: zipfile cuts a name at a zero byte, and the rest must not go unseen.
            name = info.orig_filename
            if info.flag_bits & ENCRYPTED:
                raise UnsafeError(f"{name!r} is encrypted")
            if packing := unbounded_packing(info):
                raise UnsafeError(f"{name!r} is packed with {packing}, which may take all memory")
            mode = stat.S_IFMT(info.external_attr >> 16)
            kind = KINDS.get(mode, "special file")
            if kind == FILE and name.endswith(("/", "\\")):
                kind = FOLDER
            yield Member(name, kind, info.file_size, partial(archive.open, info))
