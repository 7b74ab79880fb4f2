"""Preparing with bad cases, bad disks and damaged stores."""

from __future__ import annotations

import re

import numpy as np
import pytest

from bench.contract import RawCase, Source
from bench.data.store import open_store
from bench.errors import DataError, RequestError
from tests.data.files import Files, reads, write_case


def test_a_bad_case_stops_it_and_the_finished_ones_stay(make, root) -> None:
    label = root / "c-label.npy"
    np.save(label, np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(DataError, match=r"case c: the segmentation is all background") as caught:
        make()
    assert "(data.skip_bad=true leaves bad cases out)" in str(caught.value)
    write_case(root, "c")
    assert len(make().manifest.cases) == 4
    assert sorted(reads(root)) == [*"abccd"]


def test_bad_cases_are_left_out_on_request_and_listed(make, root) -> None:
    (root / "b-label.npy").unlink()
    np.save(root / "d.npy", np.full((3, 8, 8), np.nan))
    manifest = make(skip_bad=True, expected=[*"abcd"]).manifest
    assert manifest.copy == "la2018, 2 bad cases left out"
    assert [case.case for case in manifest.cases] == ["a", "c"]
    assert manifest.skipped == (
        ("b", "a file of it is missing"),  # it goes into records, which name no files
        ("d", "the image has NaN or infinity in 192 voxels; mend or remove the file"),
    )
    assert reads(root) == "abcd"
    assert make(skip_bad=True, expected=[*"abcd"]).manifest == manifest
    assert reads(root) == ""


def test_a_skipped_case_is_read_again_once_it_is_mended(make, root) -> None:
    (root / "b-label.npy").unlink()
    assert make(skip_bad=True).manifest.copy == "la2018, 1 bad case left out"
    reads(root)
    write_case(root, "b")
    assert make(skip_bad=True).manifest.skipped == ()
    assert reads(root) == "b"


def test_skipped_cases_are_no_licence_for_a_later_call_without(make, root) -> None:
    (root / "b-label.npy").unlink()
    make(skip_bad=True)
    with pytest.raises(DataError, match=r"case b: b-label.npy is missing \(data.skip_bad"):
        make()


def test_a_call_that_is_refused_leaves_others_their_store(make, root) -> None:
    """A sweep that left the bad case out may be running on it."""
    (root / "b-label.npy").unlink()
    store = make(skip_bad=True)
    with pytest.raises(DataError, match="case b"):
        make()
    assert open_store(store.folder) == store


def test_only_bad_cases_are_no_dataset(make, root) -> None:
    for path in root.glob("*-label.npy"):
        path.unlink()
    message = "la2018: all of its cases are bad; the first, a: a file of it is missing"
    with pytest.raises(RequestError, match=message):
        make(skip_bad=True)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError("bad sector"), "case a: cannot be read: bad sector; mend or remove its files"),
        (ValueError("no\nheader"), "case a: cannot be read: no header; mend or remove"),
        (EOFError(), "case a: cannot be read: EOFError; mend"),
        (MemoryError(), "case a: does not fit into memory; crop it"),
    ],
)
def test_what_a_library_cannot_open_names_the_case(make, root, error, message) -> None:
    def fail(case: str) -> None:
        raise error

    with pytest.raises(DataError, match=message):
        make(Files(root, before=fail))


def test_a_listed_file_that_is_absent_names_the_case(make, root) -> None:
    class Careless(Files):
        def read(self, source: Source) -> RawCase:
            return RawCase(np.load(source.files[0]), np.ones((3, 8, 8)), None)

    (root / "a-label.npy").unlink()
    message = f"case a: {root / 'a-label.npy'}: No such file or directory; put it back, or remove"
    with pytest.raises(DataError, match=re.escape(message)):
        make(Careless(root))


def test_a_fault_of_the_loader_is_not_taken_for_bad_data(make, root) -> None:
    with pytest.raises(ZeroDivisionError):
        make(Files(root, before=lambda case: 1 / 0), skip_bad=True)


def test_a_folder_that_cannot_be_made(make, root, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    message = re.escape(f"cannot make {tmp_path / 'file' / 'x'}: Not a directory; choose another")
    with pytest.raises(RequestError, match=message):
        make(folder=tmp_path / "file" / "x")


def test_a_full_disk_says_so_and_leaves_no_half_case(make, monkeypatch, tmp_path) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(RequestError, match=r"cannot write .*: No space left on device; make room"):
        make()
    assert [p.name for p in (tmp_path / "stores" / "la2018").iterdir()] == []


@pytest.mark.parametrize("damage", ["cut", "gone", "folder", "manifest", "case.json"])
def test_a_damaged_store_is_repaired_without_redoing_the_rest(make, root, damage) -> None:
    whole = make()
    reads(root)
    image = whole.folder / "b" / "image.npy"
    if damage == "cut":
        image.write_bytes(image.read_bytes()[:-10])
    elif damage == "gone":
        image.unlink()
    elif damage == "folder":
        for path in image.parent.iterdir():
            path.unlink()
        image.parent.rmdir()
    elif damage == "manifest":
        (whole.folder / "manifest.json").write_text("{")
    else:
        (image.parent / "case.json").write_text("[1]")
    assert make() == whole
    assert open_store(whole.folder) == whole
    assert reads(root) == ("" if damage == "manifest" else "b")
