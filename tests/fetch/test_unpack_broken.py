"""Archives that are cut, damaged, or none: refused, and nothing stays."""

from __future__ import annotations

import bz2
import io
import os
import random
import tarfile
import zipfile
from pathlib import Path

import pytest

from bench.fetch import Silent, unpack

AGAIN = "nothing was unpacked: delete it and download it again"


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


WRITERS = {
    "a.zip": None,
    "a.tar": "w",
    "a.tar.gz": "w:gz",
    "a.tar.bz2": "w:bz2",
    "a.tar.xz": "w:xz",
}


@pytest.fixture(params=WRITERS)
def good(request, tmp_path) -> Path:
    """Three files that do not compress."""
    path, draw = tmp_path / request.param, random.Random(1)
    files = {f"{i}.raw": draw.randbytes(length) for i, length in enumerate((2048, 30_000, 512))}
    if path.suffix == ".zip":
        return make_zip(path, files)
    with tarfile.open(path, WRITERS[request.param]) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_cut_anywhere(good, refuse, tmp_path):
    """Also where a cut leaves a well-formed tar: between two members (at 2560 and 33,280)."""
    whole = good.read_bytes()
    # A tar ends in two blocks of zeros and padding; with one block its end is still marked.
    last = len(whole) - 1 if good.suffix != ".tar" else len(whole.rstrip(b"\0")) + 1
    for at in sorted({1, 5, 100, 512, 600, 2560, 20_000, 33_280, last} & set(range(last + 1))):
        good.write_bytes(whole[:at])
        message = refuse(good)
        assert message.startswith(f"{good} is cut short or corrupted ("), at
        assert message.endswith(f"); {AGAIN}"), at
    good.write_bytes(whole)
    assert len(os.listdir(unpack(good, tmp_path / "out", progress=Silent()))) == 4


def test_one_wrong_byte(good, refuse):
    """Formats with check sums notice it in the data; a plain tar only in its headers."""
    data = bytearray(good.read_bytes())
    data[1000 if good.suffix != ".tar" else 2570] ^= 0xFF
    good.write_bytes(data)
    message = refuse(good)
    assert message.startswith(f"{good} is cut short or corrupted (")
    assert message.endswith(f"); {AGAIN}")


def test_a_member_shorter_than_it_says(tmp_path, refuse):
    archive = make_zip(tmp_path / "a.zip", {"a": b"abc" * 100})
    data = bytearray(archive.read_bytes())
    # The size before compression, in the local header (offset 22) and the central one (24).
    for at in (22, data.index(b"PK\x01\x02") + 24):
        assert int.from_bytes(data[at : at + 4], "little") == 300
        data[at : at + 4] = (400).to_bytes(4, "little")
    archive.write_bytes(data)
    assert refuse(archive) == (
        f"{archive} is cut short or corrupted ('a' has 300 bytes and says 400); {AGAIN}"
    )


@pytest.mark.parametrize("data", [b"", b"<html>no such file</html>", bytes(100), b"x" * 2000])
def test_no_archive_at_all(tmp_path, refuse, data):
    path = tmp_path / "a.tar.gz"
    path.write_bytes(data)
    message = refuse(path)
    assert message.startswith(f"{path} is cut short or corrupted (no zip or tar archive: ")


def test_a_compressed_file_that_is_no_tar(tmp_path, refuse):
    path = tmp_path / "volume.nii.gz"
    path.write_bytes(bz2.compress(b"n+1" * 5000))
    assert refuse(path) == (
        f"{path} is cut short or corrupted (no zip or tar archive: invalid header); {AGAIN}"
    )


def test_a_compression_that_zipfile_does_not_know(tmp_path, refuse):
    archive = make_zip(tmp_path / "a.zip", {"a": b"abc" * 100})
    data = archive.read_bytes()
    # 9 = Deflate64, in the local header (offset 8) and in the central directory (offset 10).
    data = data.replace(data[:8] + b"\x08", data[:8] + b"\x09")
    at = data.index(b"PK\x01\x02") + 10
    archive.write_bytes(data[:at] + b"\x09" + data[at + 1 :])
    message = refuse(archive)
    assert message.startswith(f"{archive} is refused: 'a' is packed with deflate64, which may ")
