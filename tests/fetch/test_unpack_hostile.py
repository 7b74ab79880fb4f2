"""Archives that want out or want too much: refused, and nothing stays."""

from __future__ import annotations

import gzip
import importlib
import io
import stat
import tarfile
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest

from bench.fetch import Silent, size, unpack
from bench.fetch.members import UnsafeError, safe_parts

Usage = namedtuple("Usage", "total used free")
TRUST = "nothing was unpacked. If you trust its source unpack it by hand"


def make_zip(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def make_tar(path: Path, *members: tarfile.TarInfo, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for info in members:
            archive.addfile(info, io.BytesIO(bytes(info.size)))
    return path


def tar_info(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", length: int = 0):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, length
    return info


NAMES = [
    ("../astray", "'../astray' leaves the folder by '..'"),
    ("a/../../astray", "'a/../../astray' leaves the folder by '..'"),
    ("a/..", "'a/..' leaves the folder by '..'"),
    ("..\\astray", r"'..\\astray' leaves the folder by '..'"),
    ("/astray", "'/astray' is an absolute path"),
    ("\\\\server\\share", r"'\\\\server\\share' is an absolute path"),
    ("C:/astray", "'C:/astray' has a drive letter"),
    ("c:astray", "'c:astray' has a drive letter"),
    (".unpacked.json", "'.unpacked.json' has a name that is not free"),
    (".", "'.' has a name that is not free"),
]


@pytest.mark.parametrize(("name", "reason"), NAMES)
def test_names_that_leave_the_folder_in_zip(tmp_path, refuse, name, reason):
    archive = make_zip(tmp_path / "a.zip", ("good.txt", b"abc"), (name, b"bad"))
    assert refuse(archive) == f"{archive} is refused: {reason}; {TRUST}"


@pytest.mark.parametrize(("name", "reason"), NAMES)
def test_names_that_leave_the_folder_in_tar(tmp_path, refuse, name, reason):
    archive = make_tar(tmp_path / "a.tar", tar_info("good.txt", length=3), tar_info(name))
    assert refuse(archive) == f"{archive} is refused: {reason}; {TRUST}"


def test_a_zero_byte_in_a_name(tmp_path, refuse):
    archive = make_zip(tmp_path / "a.zip", ("goodX../bad", b""))
    archive.write_bytes(archive.read_bytes().replace(b"goodX", b"good\0"))
    assert refuse(archive) == (
        f"{archive} is refused: 'good\\x00../bad' has a zero byte in its name; {TRUST}"
    )


def test_safe_names():
    assert safe_parts("./a//b/./c..d/..e") == ("a", "b", "c..d", "..e")
    assert safe_parts("./") == ()
    with pytest.raises(UnsafeError, match="leaves the folder"):
        safe_parts("a/b/..")


LINKS = [
    (tarfile.SYMTYPE, "symbolic link"),
    (tarfile.LNKTYPE, "hard link"),
    (tarfile.CHRTYPE, "device"),
    (tarfile.BLKTYPE, "device"),
    (tarfile.FIFOTYPE, "pipe"),
    (b"Q", "special file"),
]


@pytest.mark.parametrize(("kind", "word"), LINKS)
def test_links_and_devices_in_tar(tmp_path, refuse, kind, word):
    link = tar_info("way", kind, "good.txt")
    archive = make_tar(tmp_path / "a.tar.gz", tar_info("good.txt"), link, mode="w:gz")
    assert refuse(archive) == f"{archive} is refused: 'way' is a {word}; {TRUST}"


def test_a_file_through_a_link(tmp_path, refuse):
    link = tar_info("way", tarfile.SYMTYPE, str(tmp_path))
    archive = make_tar(tmp_path / "a.tar", link, tar_info("way/astray"))
    assert refuse(archive) == f"{archive} is refused: 'way' is a symbolic link; {TRUST}"


@pytest.mark.parametrize(
    ("mode", "word"),
    [
        (stat.S_IFLNK, "symbolic link"),
        (stat.S_IFCHR, "device"),
        (stat.S_IFBLK, "device"),
        (stat.S_IFIFO, "pipe"),
        (stat.S_IFSOCK, "socket"),
        (0o110000, "special file"),
    ],
)
def test_links_and_devices_in_zip(tmp_path, refuse, mode, word):
    info = zipfile.ZipInfo("way")
    info.external_attr = (mode | 0o777) << 16
    archive = make_zip(tmp_path / "a.zip", (info, b"../.."))
    assert refuse(archive) == f"{archive} is refused: 'way' is a {word}; {TRUST}"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_name_twice(tmp_path, refuse):
    archive = make_zip(tmp_path / "a.zip", ("a/b", b"1"), ("a//b", b"2"))
    assert refuse(archive) == f"{archive} is refused: 'a//b' stands in it twice; {TRUST}"
    archive = make_tar(tmp_path / "a.tar", tar_info("a"), tar_info("a/b"))
    assert refuse(archive) == f"{archive} is refused: 'a/b' stands in it twice; {TRUST}"


def test_an_encrypted_zip(tmp_path, refuse):
    archive = make_zip(tmp_path / "a.zip", ("secret", b"abc"))
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    assert refuse(archive) == f"{archive} is refused: 'secret' is encrypted; {TRUST}"


@pytest.mark.parametrize(
    ("method", "word"), [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "LZMA")]
)
def test_a_packing_that_zipfile_does_not_bound(tmp_path, refuse, method, word):
    """It is unpacked whole before it is cut to the size that the archive's list says."""
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("good.txt", b"abc")
        made.writestr("bad.raw", bytes(1000), method)
    assert refuse(archive) == (
        f"{archive} is refused: 'bad.raw' is packed with {word}, which may take all memory; {TRUST}"
    )


def test_a_zip_bomb(tmp_path, refuse):
    archive = make_zip(tmp_path / "a.zip", ("a", bytes(600_000)), ("b", bytes(600_000)))
    assert archive.stat().st_size < 2500
    assert refuse(archive, max_bytes=1_000_000) == (
        f"{archive} is refused: it unpacks to 1.2 MB, more than the 1.0 MB allowed; {TRUST}"
    )
    unpack(archive, tmp_path / "out", max_bytes=1_200_000, progress=Silent())


def test_a_tar_bomb(tmp_path, refuse):
    members = [tar_info("a", length=600_000), tar_info("b", length=600_000)]
    archive = make_tar(tmp_path / "a.tar.bz2", *members, mode="w:bz2")
    assert refuse(archive, max_bytes=1_000_000) == (
        f"{archive} is refused: it unpacks to more than the 1.0 MB allowed; {TRUST}"
    )
    unpack(archive, tmp_path / "out", max_bytes=1_200_000, progress=Silent())


def test_the_usual_limit_grows_with_the_archive(tmp_path, refuse, monkeypatch):
    module = importlib.import_module("bench.fetch.unpack")  # by attribute it is the function
    monkeypatch.setattr(module, "USUAL_FLOOR", 1000)
    archive = make_zip(tmp_path / "a.zip", ("a", bytes(1_000_000)))
    allowed = size.size_text(100 * archive.stat().st_size)
    assert refuse(archive) == (
        f"{archive} is refused: it unpacks to 1.0 MB, more than the {allowed} allowed; {TRUST}"
    )


def test_a_bomb_behind_the_end_of_a_tar(tmp_path, refuse):
    inside = make_tar(tmp_path / "a.tar", tar_info("a", length=5))
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(gzip.compress(inside.read_bytes() + bytes(20_000_000)))
    assert refuse(archive, max_bytes=1000) == (
        f"{archive} is refused: its headers and padding unpack to far more than its files; {TRUST}"
    )


def test_a_bomb_in_a_header(tmp_path, refuse):
    header = tar_info("x", tarfile.XHDTYPE, length=50_000_000).tobuf(tarfile.USTAR_FORMAT)
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(gzip.compress(header + bytes(50_000_000)))
    assert refuse(archive) == f"{archive} is refused: it holds a header of 50000384 bytes; {TRUST}"


def test_too_many_members(tmp_path, refuse):
    archive = make_zip(tmp_path / "a.zip", *[(f"{i}/", b"") for i in range(11)])
    assert refuse(archive, max_members=10) == (
        f"{archive} is refused: it holds more than 10 members; {TRUST}"
    )


def test_a_full_disk_is_said_before_anything_is_written(tmp_path, refuse, monkeypatch):
    archive = make_zip(tmp_path / "a.zip", ("a", bytes(600_000)))
    monkeypatch.setattr(size.shutil, "disk_usage", lambda folder: Usage(1, 1, 67_500_000))
    assert refuse(archive) == (
        f"unpacking a.zip needs 600.0 kB in {tmp_path / 'in' / '.raw.unpacking'}, where 67.5 MB "
        "are free (67.1 MB are kept spare); make room or choose another folder"
    )


def test_a_name_that_the_file_system_cannot_hold(tmp_path, refuse):
    name = "n" * 300
    archive = make_zip(tmp_path / "a.zip", (name, b""))
    message = refuse(archive)
    assert message.startswith(f"cannot write '{name}' of {archive}: [Errno 36] File name too long")
    assert message.endswith("; nothing was unpacked")
