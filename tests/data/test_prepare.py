"""Preparing: once, again where something changed, and a bar while it lasts."""

from __future__ import annotations

import json
import os
import shutil
import time

import numpy as np
import pytest

from bench.contract import Copy, RawCase, Source
from bench.data import prepare as prepare_module
from bench.data.store import labels_folder, open_store
from bench.errors import DataError, RequestError
from tests.data.files import Files, reads, write_case


def test_the_second_call_reads_nothing_and_takes_milliseconds(make, root) -> None:
    first = make()
    assert reads(root) == "abcd"
    start = time.process_time()
    second = make()
    assert time.process_time() - start < 0.1
    assert reads(root) == ""
    assert second == first == open_store(first.folder)


def test_touched_files_are_hashed_but_not_converted_again(make, root) -> None:
    before = (make().folder / "b" / "image.npy").stat().st_ino
    reads(root)
    os.utime(root / "b.npy", ns=(1, 1))
    store = make()
    assert reads(root) == ""
    assert (store.folder / "b" / "image.npy").stat().st_ino == before
    case = json.loads((store.folder / "b" / "case.json").read_text())
    assert case["stamps"][0] == ["b.npy", (root / "b.npy").stat().st_size, 1]
    start = time.process_time()
    assert make() == store
    assert time.process_time() - start < 0.1


def test_a_changed_file_is_converted_again_and_changes_the_fingerprint(make, root) -> None:
    old = make()
    reads(root)
    write_case(root, "c", seed=1)
    new = make()
    assert reads(root) == "c"
    assert new.manifest.fingerprint != old.manifest.fingerprint
    assert np.array_equal(new.image("c"), np.load(root / "c.npy").astype("f4"))
    assert new.cases["a"] == old.cases["a"]


def test_another_patient_or_site_of_the_same_files_is_seen(make, root) -> None:
    assert make(Files(root, many=True)).cases["a"].patient == ""
    assert make(Files(root)).cases["a"].patient == "a"


def test_a_file_that_went_away_is_reported_as_the_dataset_says_it(make, root) -> None:
    make()
    (root / "b-label.npy").unlink()
    with pytest.raises(DataError, match=r"case b: b-label\.npy is missing"):
        make()


def test_readers_of_the_old_store_keep_their_arrays(make, root) -> None:
    held = make().image("c")
    before = held.copy()
    write_case(root, "c", seed=1)
    make()
    assert np.array_equal(held, before)


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": {"options": {"crop": 3}}},
        {"classes": ("organ", "nodule")},
        {"spacing": (2.0, 1.0, 1.0)},
    ],
)
def test_another_recipe_converts_again_to_the_same_fingerprint(make, root, changes) -> None:
    old = make()
    reads(root)
    new = make(**changes)
    assert reads(root) == "abcd"
    assert new.manifest.fingerprint == old.manifest.fingerprint


def test_a_mended_converter_converts_again(make, root, monkeypatch) -> None:
    make()
    reads(root)
    monkeypatch.setattr(prepare_module, "converter_hash", lambda: "mended")
    make()
    assert reads(root) == "abcd"


def test_the_fingerprint_knows_no_path_time_or_order(make, root, tmp_path) -> None:
    first = make()
    other = root.rename(tmp_path / "moved")
    for path in other.iterdir():
        os.utime(path, ns=(5, 5))
    second = make(Files(other), folder=tmp_path / "another", workers=3)
    assert second.manifest.fingerprint == first.manifest.fingerprint
    assert str(tmp_path) not in (first.folder / "manifest.json").read_text()


def test_a_moved_copy_is_not_read_again(make, root, tmp_path) -> None:
    first = make()
    other = root.rename(tmp_path / "moved")
    reads(other)
    assert make(Files(other)) == first
    assert reads(other) == ""


def test_the_cards_spacing_stands_in_only_where_files_have_none(make, root) -> None:
    class Bare(Files):
        def read(self, source: Source) -> RawCase:
            raw = super().read(source)
            return RawCase(raw.image, raw.label, None)

    assert make(spacing=(9, 9, 9)).cases["a"].spacing == (3.0, 1.0, 1.0)
    assert make(spacing=(9, 9, 9)).manifest.spacing == "file"
    bare = make(Bare(root), spacing=(2.5, 0.5, 0.625000049), recipe={"bare": True})
    assert bare.cases["a"].spacing == (2.5, 0.5, 0.625)
    assert bare.manifest.spacing == "card"


def test_progress_goes_to_stderr(make, root, capsys) -> None:
    make(progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "converting la2018: 4 cases" in shown.err
    assert "done in" in shown.err
    make(progress=True)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(make, root, capsys, monkeypatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    make(progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "4/4" in shown.err


def test_copies_and_sources_are_the_contracts(root) -> None:
    found = Files(root).find()
    assert isinstance(found, Copy)
    assert all(isinstance(source, Source) for source in found.sources)


def test_a_case_that_went_away_takes_its_label_along(make, root) -> None:
    store = make()
    for path in root.glob("d*"):
        path.unlink()
    (root / "c-label.npy").unlink()
    left = make(skip_bad=True)
    assert [case.case for case in left.manifest.cases] == ["a", "b"]
    assert sorted(path.name for path in labels_folder(store.folder).iterdir()) == ["a", "b"]
    assert open_store(store.folder) == left


def test_a_store_that_was_removed_leaves_no_old_label(make, root) -> None:
    """Who deletes one of the two folders has the other made again from the sources."""
    store = make()
    labels = labels_folder(store.folder)
    for gone in (store.folder, labels):
        reads(root)
        np.save(labels / "a" / "label.npy", np.zeros((3, 8, 8), np.uint8))
        (labels / "z").mkdir()
        shutil.rmtree(gone)
        assert make() == store
        assert reads(root) == "abcd"
        assert sorted(path.name for path in labels.iterdir()) == ["a", "b", "c", "d"]
        assert np.array_equal(np.load(store.label_file("a")), np.load(root / "a-label.npy"))


def test_labels_beside_images_are_converted_again_with_one_line(make, root, capsys) -> None:
    """As versions before 2 of the store's format kept them."""
    store = make()
    labels = labels_folder(store.folder)
    for case in store.cases:
        (labels / case / "label.npy").rename(store.folder / case / "label.npy")
    (store.folder / "gone").mkdir()
    (store.folder / "gone" / "label.npy").write_bytes(b"of a case that is no more")
    shutil.rmtree(labels)
    manifest = store.folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format":2', '"format":1'))
    reads(root)
    with pytest.raises(RequestError, match="is damaged, or of another version; delete the folders"):
        open_store(store.folder)
    assert make() == store
    assert reads(root) == "abcd"
    assert capsys.readouterr().err == (
        f"{store.folder}: an older version kept its labels beside the images; it is converted "
        f"again, with its labels in {labels}\n"
    )
    assert list(store.folder.rglob("label.npy")) == []
    assert make() == store
    assert capsys.readouterr().err == ""
