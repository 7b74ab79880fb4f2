"""download(): the whole file, checked, once."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import tempfile
from collections import namedtuple
from pathlib import Path

import pytest

from bench.errors import RequestError
from bench.fetch import checksum, download, size

Usage = namedtuple("Usage", "total used free")


def test_file_arrives_whole_and_nothing_else_stays(site, fetch, tmp_path, lines):
    path = fetch(site.remote())
    assert path == tmp_path / "data.bin"
    assert path.read_bytes() == site.body
    assert sorted(os.listdir(tmp_path)) == [".data.bin.lock", "data.bin", "data.bin.ok"]
    assert lines.starts == [("downloading data.bin", 300_007, 0)]
    assert lines.said == []
    assert site.asked[0]["accept-encoding"] == "identity"


def test_folder_is_made_and_a_relative_one_gives_an_absolute_path(site, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = download(site.remote(), "a/b")
    assert path == tmp_path / "a" / "b" / "data.bin"
    assert path.read_bytes() == site.body


def test_second_call_asks_neither_the_server_nor_the_file(site, fetch, tmp_path, monkeypatch):
    fetch(site.remote())
    monkeypatch.setattr(checksum, "_read", lambda *args, **more: pytest.fail("read again"))
    fetch(site.remote())
    assert len(site.asked) == 1
    note = json.loads((tmp_path / "data.bin.ok").read_text())
    assert note["sha256"] == hashlib.sha256(site.body).hexdigest()
    assert note["bytes"] == 300_007
    assert note["mtime_ns"] == (tmp_path / "data.bin").stat().st_mtime_ns


def test_whoever_waited_for_the_lock_does_not_read_the_file_again(site, fetch, monkeypatch):
    fetch(site.remote())
    module = importlib.import_module("bench.fetch.download")  # by attribute it is the function
    answers = iter([lambda *args: False, module.is_verified])
    monkeypatch.setattr(module, "is_verified", lambda *args: next(answers)(*args))
    monkeypatch.setattr(checksum, "_read", lambda *args, **more: pytest.fail("read again"))
    fetch(site.remote())
    assert len(site.asked) == 1


@pytest.mark.parametrize("note", ["", "[]", "{", '{"bytes": 300007}'])
def test_a_broken_note_means_reading_the_file_again(site, fetch, tmp_path, note):
    fetch(site.remote())
    (tmp_path / "data.bin.ok").write_text(note)
    fetch(site.remote())
    assert len(site.asked) == 1
    assert json.loads((tmp_path / "data.bin.ok").read_text())["bytes"] == 300_007


def test_a_changed_file_is_noticed_and_moved_aside(site, fetch, tmp_path, lines):
    path = fetch(site.remote())
    path.write_bytes(b"x" + site.body[1:])
    found = hashlib.sha256(b"x" + site.body[1:]).hexdigest()
    assert fetch(site.remote()).read_bytes() == site.body
    assert lines.said == [
        f"{path} is not the file expected: its sha256 is {found}, "
        f"expected {site.remote().sha256}; moved to data.bin.bad"
    ]
    assert (tmp_path / "data.bin.bad").read_bytes()[:1] == b"x"
    assert len(site.asked) == 2


def test_a_card_with_another_hash_is_not_satisfied_by_the_note(site, fetch):
    fetch(site.remote())
    site.body = site.body[::-1]
    assert fetch(site.remote()).read_bytes() == site.body
    assert len(site.asked) == 2


def test_a_file_put_there_by_hand_is_checked_and_taken(site, fetch, tmp_path):
    (tmp_path / "data.bin").write_bytes(site.body)
    fetch(site.remote())
    fetch(site.remote(md5=hashlib.md5(site.body).hexdigest()))
    assert site.asked == []
    assert json.loads((tmp_path / "data.bin.ok").read_text())["md5"] is not None


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_wrong_hash_is_refused_and_removed(site, fetch, tmp_path, kind):
    stated = "0" * (64 if kind == "sha256" else 32)
    remote = site.remote(**{"sha256": None, kind: stated})
    found = hashlib.new(kind, site.body).hexdigest()
    with pytest.raises(RequestError) as caught:
        fetch(remote)
    assert str(caught.value) == (
        f"data.bin from {site.url()} is refused: its {kind} is {found}, expected {stated}; "
        "its 300007 bytes were removed. Run again; if it stays so the source has changed: "
        f"mend the card, or put the file by hand in {tmp_path} as data.bin"
    )
    assert os.listdir(tmp_path) == [".data.bin.lock"]
    assert len(site.asked) == 1


def test_md5_alone_is_enough(site, fetch):
    remote = site.remote(sha256=None, bytes=None, md5=hashlib.md5(site.body).hexdigest())
    assert fetch(remote).read_bytes() == site.body


@pytest.mark.parametrize("length", ["stated", "chunked"])
def test_a_card_that_states_nothing_needs_a_server_that_does(site, fetch, length):
    site.length = length
    assert fetch(site.remote(bytes=None, sha256=None)).read_bytes() == site.body
    fetch(site.remote(bytes=None, sha256=None))
    assert len(site.asked) == 1


def test_neither_size_nor_hash_anywhere_is_refused(site, fetch, tmp_path):
    site.length = "absent"
    with pytest.raises(RequestError) as caught:
        fetch(site.remote(bytes=None, sha256=None))
    assert str(caught.value) == (
        f"data.bin: neither the card nor {site.url()} states a size or a hash, so a cut would go "
        "unseen; give the card bytes or sha256"
    )
    assert not (tmp_path / "data.bin").exists()


def test_full_disk_is_said_before_anything_is_written(site, fetch, tmp_path, monkeypatch):
    monkeypatch.setattr(size.shutil, "disk_usage", lambda folder: Usage(1, 1, 67_000_000))
    with pytest.raises(RequestError) as caught:
        fetch(site.remote())
    assert str(caught.value) == (
        f"data.bin needs 300.0 kB in {tmp_path}, where 67.0 MB are free (67.1 MB are kept spare); "
        "make room or choose another folder"
    )
    assert not (tmp_path / "data.bin.part").exists()


def test_a_disk_that_fills_up_in_the_middle_keeps_the_part(site, fetch, tmp_path, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("bench.fetch.transfer.os.fsync", full)
        with pytest.raises(RequestError) as caught:
            fetch(site.remote())
    assert str(caught.value) == (
        f"cannot keep data.bin in {tmp_path}: [Errno 28] No space left on device; "
        "make room or choose another folder, then run again to go on"
    )
    assert not (tmp_path / "data.bin").exists()
    assert fetch(site.remote()).read_bytes() == site.body


def test_a_file_in_the_place_of_the_folder(site, tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(RequestError) as caught:
        download(site.remote(), tmp_path / "taken")
    assert str(caught.value) == (
        f"cannot make the folder {tmp_path / 'taken'}: File exists; choose another folder"
    )


def test_a_folder_in_the_place_of_the_file(site, fetch, tmp_path):
    (tmp_path / "data.bin").mkdir()
    with pytest.raises(RequestError) as caught:
        fetch(site.remote())
    assert str(caught.value) == (
        f"{tmp_path / 'data.bin'} is no file; move it away, data.bin belongs there"
    )


@pytest.fixture
def read_only(monkeypatch):
    """A folder that this process cannot write, also where the tests run as root."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)
        monkeypatch.setattr(os, "access", lambda path, mode: os.geteuid() == 0)
    yield folder
    if os.getuid() == 0:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def fill(folder: Path, content: bytes) -> None:
    """Write into a read-only folder as its owner."""
    user = os.geteuid()
    os.seteuid(os.getuid())
    folder.chmod(0o755)
    (folder / "data.bin").write_bytes(content)
    folder.chmod(0o555)
    os.seteuid(user)


def test_a_shared_cache_that_cannot_be_written(site, read_only):
    with pytest.raises(RequestError) as caught:
        download(site.remote(), read_only)
    assert str(caught.value) == (
        f"cannot write in {read_only}: Permission denied; choose another folder"
    )
    fill(read_only, site.body)
    assert download(site.remote(), read_only) == read_only / "data.bin"
    fill(read_only, b"short")
    with pytest.raises(RequestError) as caught:
        download(site.remote(), read_only)
    assert str(caught.value) == (
        f"{read_only / 'data.bin'} is not the file expected: its size is 5 bytes, expected 300007; "
        "its folder cannot be written: choose another folder"
    )
    assert site.asked == []
