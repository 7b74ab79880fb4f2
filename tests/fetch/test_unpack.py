"""unpack(): honest archives, whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from bench.errors import RequestError
from bench.fetch import Silent, checksum, unpack
from bench.fetch.checksum import Digests
from bench.fetch.remote import RemoteFile
from bench.fetch.verified import write_note

FORMATS = ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"]
SHUTIL = {"zip": "zip", "tar": "tar", "tar.gz": "gztar", "tar.bz2": "bztar", "tar.xz": "xztar"}
LONG = "long" * 40


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as datasets have them: nested, spaces, accents, long names, empty things."""
    root = tmp_path_factory.mktemp("source") / "tree"
    draw = random.Random(0)
    for name, size in {
        "Case00.mhd": 300,
        "deep/er/Case 01.raw": 70_001,
        "deep/é ü/label.nii": 5,
        f"deep/{LONG}": 1025,
        "empty.txt": 0,
        "block.bin": 1024,
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw.randbytes(size))
    (root / "nothing").mkdir()
    return root


def content(folder: Path) -> dict[str, bytes | None]:
    """Every path below: its bytes, or None for a folder. The note is left out."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if path.name != ".unpacked.json"
    }


def pack(tree: Path, folder: Path, form: str) -> Path:
    return Path(shutil.make_archive(str(folder / "data"), SHUTIL[form], tree))


def failure(archive: Path, into: Path, **more: object) -> str:
    with pytest.raises(RequestError) as caught:
        unpack(archive, into, progress=Silent(), **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("form", FORMATS)
def test_same_as_the_source_and_as_shutil(tree, tmp_path, form, lines):
    archive = pack(tree, tmp_path, form)
    into = unpack(archive, tmp_path / "new" / "raw", progress=lines)
    assert into == tmp_path / "new" / "raw"
    shutil.unpack_archive(archive, tmp_path / "reference")
    assert content(into) == content(tmp_path / "reference") == content(tree)
    assert sorted(os.listdir(tmp_path / "new")) == [".raw.lock", "raw"]
    assert lines.starts == [(f"unpacking {archive.name}", archive.stat().st_size, 0)]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_every_dialect_of_tar(tmp_path, form):
    name = f"{'d' * 60}/{'f' * 60}"
    with tarfile.open(tmp_path / "a.tar", "w", format=form) as archive:
        info = tarfile.TarInfo(name)
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
    assert content(unpack(tmp_path / "a.tar", tmp_path / "out"))[name] == b"abc"


def test_a_zip_made_on_windows(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("train\\", b"")
        archive.writestr("train\\Case00.raw", b"abc")
    assert content(unpack(tmp_path / "a.zip", tmp_path / "out")) == {
        "train": None,
        "train/Case00.raw": b"abc",
    }


def test_the_content_decides_and_not_the_name(tree, tmp_path):
    archive = pack(tree, tmp_path, "tar.gz").rename(tmp_path / "download.zip")
    assert content(unpack(archive, tmp_path / "out")) == content(tree)


def test_a_tar_that_ends_in_a_zip_is_a_tar(tmp_path):
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as inner:
        inner.writestr("x", b"abc")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "inner.zip", "inner.zip")
    assert list(content(unpack(tmp_path / "a.tar", tmp_path / "out"))) == ["inner.zip"]


def test_modes_and_owners_are_not_taken_over(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("run.sh")
        info.mode, info.uid, info.mtime = 0o4777, 12345, 0
        archive.addfile(info, io.BytesIO())
    status = (unpack(tmp_path / "a.tar", tmp_path / "out") / "run.sh").stat()
    assert status.st_mode & 0o7111 == 0
    assert status.st_uid == os.geteuid()


def test_already_unpacked_is_left_alone(tree, tmp_path, lines, monkeypatch):
    archive = pack(tree, tmp_path, "zip")
    into = unpack(archive, tmp_path / "raw", progress=lines)
    monkeypatch.setattr(checksum, "_read", lambda *args, **more: pytest.fail("read again"))
    (into / "mine.txt").write_text("kept")
    assert unpack(archive, into, progress=lines) == into
    assert (into / "mine.txt").read_text() == "kept"
    archive.unlink()
    assert unpack(archive, into, progress=lines) == into
    assert len(lines.starts) == 1


def test_the_same_archive_fetched_again_is_the_same(tree, tmp_path, lines):
    archive = pack(tree, tmp_path, "zip")
    into = unpack(archive, tmp_path / "raw", progress=lines)
    os.utime(archive, ns=(1, 1))
    assert unpack(archive, into, progress=lines) == into
    assert len(lines.starts) == 1
    note = json.loads((into / ".unpacked.json").read_text())
    assert note["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    with zipfile.ZipFile(archive) as reference:
        assert note["members"] == len(reference.namelist())


def test_the_hash_of_the_download_is_not_computed_twice(tree, tmp_path, monkeypatch):
    archive = pack(tree, tmp_path, "zip")
    size = archive.stat().st_size
    remote = RemoteFile("https://files.example.org/data.zip")
    write_note(archive, Digests(size, "a" * 64, None), remote)
    monkeypatch.setattr(checksum, "_read", lambda *args, **more: pytest.fail("read again"))
    into = unpack(archive, tmp_path / "raw", progress=Silent())
    assert json.loads((into / ".unpacked.json").read_text())["sha256"] == "a" * 64


def test_another_archive_does_not_replace_a_folder(tree, tmp_path):
    archive = pack(tree, tmp_path, "zip")
    into = unpack(archive, tmp_path / "raw", progress=Silent())
    before, times = content(into), archive.stat()
    archive.unlink()
    with zipfile.ZipFile(archive, "w") as changed:
        changed.writestr("other", b"abc")
    os.utime(archive, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert failure(archive, into) == (
        f"{into} is there already and was not made from this data.zip; "
        "move it away to have the archive unpacked there"
    )
    assert content(into) == before


@pytest.mark.parametrize("what", ["a file", "a full folder", "a link"])
def test_nothing_of_someone_else_is_overwritten(tree, tmp_path, what):
    archive, into = pack(tree, tmp_path, "zip"), tmp_path / "raw"
    if what == "a file":
        into.write_text("mine")
    elif what == "a full folder":
        into.mkdir()
        (into / "mine").write_text("")
    else:
        (tmp_path / "elsewhere").mkdir()
        into.symlink_to(tmp_path / "elsewhere")
    assert failure(archive, into) == (
        f"{into} is there already and was not made from this data.zip; "
        "move it away to have the archive unpacked there"
    )


def test_an_empty_folder_is_no_obstacle(tree, tmp_path):
    (tmp_path / "raw").mkdir()
    assert content(unpack(pack(tree, tmp_path, "tar"), tmp_path / "raw")) == content(tree)


def test_no_archive(tmp_path):
    assert failure(tmp_path / "a.zip", tmp_path / "raw") == (
        f"there is no archive {tmp_path / 'a.zip'} to unpack into {tmp_path / 'raw'}"
    )


def test_a_file_in_the_place_of_the_parent_folder(tree, tmp_path):
    (tmp_path / "taken").write_text("")
    assert failure(pack(tree, tmp_path, "zip"), tmp_path / "taken" / "raw") == (
        f"cannot make the folder {tmp_path / 'taken'}: File exists; choose another folder"
    )


UNPACKER = """
import sys
from bench.fetch import Silent, unpack

class Halting(Silent):
    halted = False

    def move(self, done):
        if not self.halted:
            print("one member", flush=True)
            sys.stdin.readline()
        self.halted = True

unpack(sys.argv[1], sys.argv[2], progress=Halting())
"""


@pytest.fixture
def halted(tree, tmp_path, project_root):
    """A process that has written one member and waits for a line; its archive and folder."""
    archive, into = pack(tree, tmp_path, "zip"), tmp_path / "raw"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", UNPACKER, archive, into],
        stdin=pipe,
        stdout=pipe,
        cwd=project_root,
        text=True,
    ) as process:
        assert process.stdout.readline() == "one member\n"
        yield process, archive, into
        process.kill()


def test_killed_in_the_middle_never_looks_complete(halted, tree, tmp_path):
    process, archive, into = halted
    process.kill()
    process.wait()
    assert not into.exists()
    assert (tmp_path / ".raw.unpacking").is_dir()
    (tmp_path / ".raw.unpacking" / "stale").write_text("")
    assert content(unpack(archive, into, progress=Silent())) == content(tree)
    assert not (tmp_path / ".raw.unpacking").exists()


def test_two_at_once_unpack_once(halted, tree, project_root):
    first, archive, into = halted
    code = "import sys; from bench.fetch import unpack; unpack(*sys.argv[1:])"
    with subprocess.Popen(
        [sys.executable, "-c", code, archive, into],
        stderr=subprocess.PIPE,
        cwd=project_root,
        text=True,
    ) as second:
        waiting = second.stderr.readline()
        assert waiting == "another process is unpacking raw; waiting for it\n"
        first.communicate("go on\n", timeout=60)
        assert second.stderr.read() == ""
    assert (first.returncode, second.returncode) == (0, 0)
    assert content(into) == content(tree)


def test_a_large_archive_costs_little_memory_and_time(tmp_path):
    """100 MB of zeros in a tar.gz: streamed, so the peak stays far below the content."""
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", compresslevel=1) as archive:
        info = tarfile.TarInfo("zeros.raw")
        info.size = 100_000_000
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    code = (
        "import resource, sys; from bench.fetch import unpack;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "unpack(*sys.argv[1:]);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.tar.gz", tmp_path / "raw"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (tmp_path / "raw" / "zeros.raw").stat().st_size == 100_000_000
    assert int(done.stdout) < 40_000  # kB
    assert time.monotonic() - start < 15
