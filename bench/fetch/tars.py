"""The members of a tar archive, plain or compressed, read in one pass."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Iterator
from functools import partial
from typing import IO, BinaryIO, cast

from bench.fetch.members import FILE, FOLDER, Member, UnsafeError

CHUNK = 1 << 20
# tarfile reads a header in one piece; an honest one is a few kB.
LARGEST_PIECE = 1 << 24
END_MARK = bytes(tarfile.BLOCKSIZE)


class Bounded:
    """A stream that gives at most `limit` bytes: a bomb may hide in headers and padding too."""

    def __init__(self, inner: BinaryIO, limit: int) -> None:
        self.inner = inner
        self.left = limit
        self.last = b""

    def tell(self) -> int:
        return self.inner.tell()

    def seek(self, offset: int) -> int:
        return self.inner.seek(offset)

    def read(self, size: int) -> bytes:
        if size > LARGEST_PIECE:
            raise UnsafeError(f"it holds a header of {size} bytes")
        self.last = self.inner.read(size)
        self.left -= len(self.last)
        if self.left < 0:
            raise UnsafeError("its headers and padding unpack to far more than its files")
        return self.last


def tar_stream(raw: BinaryIO) -> BinaryIO:
    """The tar inside its compression, told by the first bytes: a name may say anything."""
    start = raw.read(6)
    raw.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw))
    if start.startswith(b"BZh"):
        return cast(BinaryIO, bz2.BZ2File(raw))
    if start == b"\xfd7zXZ\x00":
        return cast(BinaryIO, lzma.LZMAFile(raw))
    return raw


def tar_members(raw: BinaryIO, *, limit: int) -> Iterator[Member]:
    """In the archive's order; each must be read before the next is asked for.

    limit: bytes of the whole uncompressed stream, headers and padding included.
    """
    stream = Bounded(tar_stream(raw), limit)
    try:
        archive = tarfile.TarFile(fileobj=cast(IO[bytes], stream), mode="r")
    except tarfile.ReadError as error:
        raise tarfile.ReadError(f"no zip or tar archive: {error}") from error
    with archive:
        while (info := archive.next()) is not None:
            yield Member(info.name, _kind(info), info.size, partial(_content, archive, info))
    # tarfile takes a cut between two members, or a broken header, for the end. The block that it
    # read last tells: a true end is marked by zeros.
    if stream.last != END_MARK:
        raise tarfile.ReadError("it has no end mark")
    while stream.read(CHUNK):
        pass  # read to the very end: only there gzip, bz2 and xz verify their check sums


def _kind(info: tarfile.TarInfo) -> str:
    if info.isdir():
        return FOLDER
    if info.issym():
        return "symbolic link"
    if info.islnk():
        return "hard link"
    if info.isfifo():
        return "pipe"
    if info.isdev():
        return "device"
    return FILE if info.isfile() else "special file"


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = archive.extractfile(info)
    if content is None:
        raise tarfile.ReadError(f"{info.name} has no content")
    return content
