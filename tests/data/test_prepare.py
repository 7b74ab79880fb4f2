"""Preparing: once, whole or not at all, by one process; what is bad or missing is said."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.contract import Copy, RawCase, Source
from bench.data import prepare as prepare_module
from bench.data.copies import MissingCopyError
from bench.data.prepare import prepare
from bench.data.store import Store, open_store
from bench.errors import DataError, RequestError

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ("organ",)
LAYOUTS = {"official": "", "h5": "h5 crop"}

FILES = '''
from pathlib import Path
import numpy as np
from bench.contract import Copy, RawCase, Source
from bench.errors import DataError


class Files:
    """<case>.npy and <case>-label.npy; every read is written down in read.log."""

    def __init__(self, root, layout="official", scans=1, before=lambda case: None):
        self.root, self.layout, self.scans, self.before = root, layout, scans, before

    def find(self):
        if not self.root.is_dir():
            return None
        images = sorted(p for p in self.root.glob("*.npy") if "-" not in p.stem)
        sources = (
            Source(p.stem, p.stem[: len(p.stem) + 1 - self.scans], (p, self.label(p)))
            for p in images
        )
        return Copy(self.layout, self.root, tuple(sources))

    @staticmethod
    def label(image):
        return image.with_name(image.stem + "-label.npy")

    def read(self, source):
        self.before(source.case)
        with (self.root / "read.log").open("a") as log:
            log.write(source.case + " ")
        image, label = source.files
        if not label.is_file():
            raise DataError(source.case, f"{label.name} is missing")
        return RawCase(np.load(image), np.load(label), (3.0, 1.0, 1.0))
'''
scope: dict[str, type] = {}
exec(FILES, scope)
Files = scope["Files"]


def write_case(root: Path, case: str, *, seed: int | None = None) -> None:
    rng = np.random.default_rng(sum(map(ord, case)) if seed is None else seed)
    root.mkdir(exist_ok=True)
    np.save(root / f"{case}.npy", rng.normal(size=(3, 8, 8)))
    np.save(root / f"{case}-label.npy", (rng.random((3, 8, 8)) > 0.5).astype(np.uint8))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for case in ("a", "b", "c", "d"):
        write_case(tmp_path / "copy", case)
    return tmp_path / "copy"


@pytest.fixture
def make(root: Path, tmp_path: Path) -> Callable[..., Store]:
    def run(dataset: object = None, **changes: object) -> Store:
        arguments = {"name": "la2018", "folder": tmp_path / "stores" / "la2018", "workers": 1}
        arguments |= {"classes": CLASSES, "layouts": LAYOUTS}
        return prepare(dataset or Files(root), **{**arguments, **changes})  # type: ignore[arg-type]

    return run


def reads(root: Path) -> str:
    """Cases in the order in which they were read since the last call."""
    log = root / "read.log"
    text = log.read_text().strip() if log.exists() else ""
    log.unlink(missing_ok=True)
    return text.replace(" ", "")


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
    assert make(Files(root, scans=2)).cases["a"].patient == ""
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
    class Bare(Files):  # type: ignore[misc, valid-type]
        def read(self, source: Source) -> RawCase:
            raw = super().read(source)
            return RawCase(raw.image, raw.label, None)

    assert make(spacing=(9, 9, 9)).cases["a"].spacing == (3.0, 1.0, 1.0)
    assert make(spacing=(9, 9, 9)).manifest.spacing == "file"
    bare = make(Bare(root), spacing=(2.5, 0.5, 0.625000049), recipe={"bare": True})
    assert bare.cases["a"].spacing == (2.5, 0.5, 0.625)
    assert bare.manifest.spacing == "card"


# What is missing


def test_no_copy_is_an_error_of_its_own(make, tmp_path) -> None:
    with pytest.raises(MissingCopyError, match="la2018: no copy of it was found"):
        make(Files(tmp_path / "nowhere"))


def test_an_empty_folder(make, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    message = re.escape(f"no case in {tmp_path / 'empty'}: the folder is empty, or its files")
    with pytest.raises(RequestError, match=message):
        make(Files(tmp_path / "empty"))


def test_a_copy_that_lacks_patients_is_refused_with_their_ids(make, root, tmp_path) -> None:
    message = (
        f"la2018: 2 of 5 cases are missing in {root}: e, f; add them, or run on what is there "
        "with data.partial=true"
    )
    with pytest.raises(RequestError, match=re.escape(message)):
        make(expected=["f", "a", "b", "c", "e"])
    assert reads(root) == ""
    assert not (tmp_path / "stores").exists()


def test_a_long_list_of_missing_ids_is_cut(make) -> None:
    expected = [f"p{n:03d}" for n in range(100)]
    with pytest.raises(RequestError, match=r"100 of 100 .*: p000, .*, p019 and 80 more; add"):
        make(expected=expected)
    with pytest.raises(RequestError, match=r"20 of 20 .* p018, p019; add them"):
        make(expected=expected[:20])


def test_a_known_number_of_cases_is_asked_for(make) -> None:
    with pytest.raises(RequestError, match=r"6 of 10 cases are missing in [^:]*; add them, or"):
        make(expected=10)
    assert make(expected=4).manifest.copy == "la2018"
    assert make(expected=10, partial=True).manifest.copy == "la2018, 4 of 10 cases"


def test_a_partial_copy_has_a_name_and_a_fingerprint_of_its_own(make, root, tmp_path) -> None:
    whole = make(expected=["a", "b", "c", "d"]).manifest
    assert whole.copy == "la2018"
    (root / "d.npy").unlink()
    part = make(expected=["a", "b", "c", "d"], partial=True).manifest
    assert part.copy == "la2018, 3 of 4 cases"
    assert [case.case for case in part.cases] == ["a", "b", "c"]
    assert part.fingerprint != whole.fingerprint


def test_an_unofficial_layout_is_in_the_name(make, root) -> None:
    store = make(Files(root, layout="h5"), expected=[*"abcdefghij"], partial=True)
    assert store.manifest.copy == "la2018, h5 crop, 4 of 10 cases"
    assert store.manifest.layout == "h5"


def test_a_layout_that_the_card_does_not_list(make, root) -> None:
    message = "found the layout 'zip', which its card.yaml does not list under layouts (h5, offic"
    with pytest.raises(RequestError, match=re.escape(message)):
        make(Files(root, layout="zip"))


def test_patients_are_counted_where_one_has_several_cases(make, root) -> None:
    for case in ("p1", "p2", "q1"):
        write_case(root, case)
    for path in root.glob("?.npy"):
        path.unlink()
    dataset = Files(root, scans=2)
    assert [s.patient for s in dataset.find().sources] == ["p", "p", "q"]
    with pytest.raises(RequestError, match=r"1 of 3 patients are missing in [^:]*: r; add"):
        make(dataset, expected=["p", "q", "r"])
    store = make(dataset, expected=["p", "q", "r"], partial=True)
    assert store.manifest.copy == "la2018, 2 of 3 patients"


def test_cases_that_nobody_expects_are_in_the_name(make) -> None:
    assert make(expected=["a", "b"]).manifest.copy == "la2018, 2 further cases"
    assert make(expected=3).manifest.copy == "la2018, 1 further cases"


# What is bad


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
        ("b", "b-label.npy is missing"),
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


def test_only_bad_cases_are_no_dataset(make, root) -> None:
    for path in root.glob("*-label.npy"):
        path.unlink()
    message = "la2018: all of its cases are bad; the first, a: a-label.npy is missing"
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
    class Careless(Files):  # type: ignore[misc, valid-type]
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


# What was damaged


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


# Several processes

CHILD = (
    FILES
    + """
import os, signal, sys, time
from bench.data.prepare import prepare

root, folder, die_at, pause = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]

def before(case):
    time.sleep(float(pause))
    if case == die_at:
        os.kill(os.getpid(), signal.SIGKILL)

store = prepare(Files(root, before=before), name="x", folder=folder, classes=["organ"],
                workers=1, progress=True)
print(store.manifest.fingerprint)
"""
)


def child(root: Path, folder: Path, *, die_at: str = "-", pause: float = 0) -> subprocess.Popen:
    command = [sys.executable, "-c", CHILD, str(root), str(folder), die_at, str(pause)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)


def test_killed_in_the_middle_it_goes_on_where_it_was(make, root, tmp_path) -> None:
    folder = tmp_path / "store"
    assert child(root, folder, die_at="c").wait() == -9
    with pytest.raises(RequestError, match="holds no finished store; run `prepare`"):
        open_store(folder)
    half = folder / ".c.1.tmp"
    half.mkdir()
    (half / "image.npy").write_bytes(b"half")
    assert reads(root) == "ab"
    store = make(name="x", folder=folder, layouts=None)
    assert reads(root) == "cd"
    assert len(store.manifest.cases) == 4
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["a", "b", "c", "d", "manifest.json"]


def test_a_repair_that_is_killed_leaves_no_store_behind(make, root, tmp_path) -> None:
    folder = tmp_path / "store"
    make(name="x", folder=folder, layouts=None)
    write_case(root, "c", seed=1)
    assert child(root, folder, die_at="c").wait() == -9
    with pytest.raises(RequestError, match="holds no finished store"):
        open_store(folder)


def test_two_processes_convert_every_case_once(root, tmp_path) -> None:
    folder = tmp_path / "store"
    both = [child(root, folder, pause=0.3) for _ in range(2)]
    answers, said = zip(*(process.communicate(timeout=60) for process in both), strict=True)
    assert [process.returncode for process in both] == [0, 0], said
    assert answers[0] == answers[1] != ""
    assert "".join(said).count("converting x: 4 cases") == 1
    assert reads(root) == "abcd"


# What is shown


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
