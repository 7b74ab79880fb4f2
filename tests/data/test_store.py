"""The store as its readers see it: right values, read-only, cheap to open, clear when damaged."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.contract import Copy, RawCase, Source
from bench.data.convert import canonical_image
from bench.data.manifest import fingerprint_of, manifest_from_json
from bench.data.prepare import prepare
from bench.data.store import Store, labels_folder, open_store, safe_name
from bench.errors import DataError, RequestError

CLASSES = ("organ", "nodule")


class Two:
    """A case of whole numbers, and one of fractions with voxels that nobody labelled."""

    def find(self) -> Copy:
        whole = Source("whole", "p1", site="north")
        return Copy("memory", None, (whole, Source("part", "p2")))

    def read(self, source: Source) -> RawCase:
        image = np.arange(4 * 6 * 5, dtype=np.int16).reshape(4, 6, 5) - 60
        label = np.zeros(image.shape, np.int16)
        label[1, 2, 3] = 1
        label[2, 1:3, 0] = 2
        if source.case == "whole":
            affine = np.array([[0, 0, -0.5, 7], [0, 0.8, 0, 8], [3, 0, 0, 9], [0, 0, 0, 1]])
            return RawCase(image, label, (3.0, 0.8, 0.5), affine)
        label[0] = 255
        label[3, 0] = 255
        label[1, 2, 3] = 2
        return RawCase(image / 7, label, None)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return prepare(Two(), name="two", folder=tmp_path / "store", classes=CLASSES, workers=1)


def test_a_volume_is_what_was_read(store: Store) -> None:
    raw = Two().read(Source("whole", "p1"))
    volume = store.volume("whole", with_label=True)
    assert (volume.case, volume.patient, volume.spacing) == ("whole", "p1", (3.0, 0.8, 0.5))
    assert volume.image.dtype == np.float16
    assert np.array_equal(volume.image, raw.image)
    assert volume.label is not None
    assert volume.label.dtype == np.uint8
    assert np.array_equal(volume.label, raw.label)
    assert volume.labelled_slices == (0, 1, 2, 3)
    assert np.array_equal(store.image("whole"), raw.image)


def test_fractions_stay_float32(store: Store) -> None:
    volume = store.volume("part", with_label=True)
    assert volume.image.dtype == np.float32
    assert np.array_equal(volume.image, (Two().read(Source("part", "p2")).image).astype("f4"))


def test_unlabelled_voxels_stay_unlabelled(store: Store) -> None:
    volume = store.volume("part", with_label=True)
    assert volume.label is not None
    assert (volume.label[0] == 255).all()
    assert volume.labelled_slices == (1, 2, 3)


def test_without_its_label_a_volume_says_nothing_about_it(store: Store) -> None:
    volume = store.volume("whole", with_label=False)
    assert volume.label is None
    assert volume.labelled_slices == ()


def test_arrays_are_views_of_the_files_and_read_only(store: Store) -> None:
    volume = store.volume("whole", with_label=True)
    for array in (volume.image, volume.label):
        assert array is not None
        assert type(array) is np.ndarray
        assert isinstance(array.base, np.memmap)
        assert array.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0, 0] = 1


def test_the_facts_of_a_case(store: Store) -> None:
    whole, part = store.cases["whole"], store.cases["part"]
    assert (whole.site, whole.shape, whole.dtype) == ("north", (4, 6, 5), "float16")
    assert (whole.spacing_source, whole.source_sha256) == ("file", "")
    assert whole.affine == ((0, 0, -0.5, 7), (0, 0.8, 0, 8), (3, 0, 0, 9), (0, 0, 0, 1))
    assert (whole.foreground, whole.labelled) == ((1, 2), (0, 1, 2, 3))
    assert whole.classes == ("organ", "nodule")
    assert (part.foreground, part.labelled) == ((1, 2), (1, 2, 3))
    assert part.classes == ("nodule",)
    assert (part.site, part.affine) == (None, None)
    assert (part.spacing, part.spacing_source) == ((1.0, 1.0, 1.0), "unknown")
    assert store.manifest.spacing == "unknown"
    assert [case.case for case in store.manifest.cases] == ["part", "whole"]


def test_hashes_follow_the_written_rule(store: Store) -> None:
    """Computed here from the text of `manifest.py`, so that a change of the rule is seen."""
    whole = store.volume("whole", with_label=True)
    head = b'{"dtype": "float16", "shape": [4, 6, 5], "spacing": [3.0, 0.8, 0.5]}'
    assert whole.label is not None
    voxels = head + whole.image.tobytes() + whole.label.tobytes()
    assert store.cases["whole"].sha256 == hashlib.sha256(voxels).hexdigest()
    part = store.cases["part"].sha256
    rows = f'[["part","p2","{part}"],["whole","p1","{store.cases["whole"].sha256}"]]'
    assert store.manifest.fingerprint == hashlib.sha256(rows.encode()).hexdigest()
    assert fingerprint_of(reversed(store.manifest.cases)) == store.manifest.fingerprint


def test_a_store_may_be_moved(store: Store, tmp_path: Path) -> None:
    labels_folder(store.folder).rename(tmp_path / "elsewhere-labels")
    moved = store.folder.rename(tmp_path / "elsewhere")
    assert open_store(moved).manifest == store.manifest
    assert open_store(moved).image("whole").shape == (4, 6, 5)
    assert open_store(moved).volume("whole", with_label=True).label is not None


def test_labels_lie_in_another_tree(store: Store) -> None:
    """Nothing beside an image, or below the store, is a label; with the images alone a process
    reads images."""
    labels = labels_folder(store.folder)
    assert labels == store.folder.with_name("store-labels")
    assert store.image_file("whole") == store.folder / "whole" / "image.npy"
    assert store.label_file("whole") == labels / "whole" / "label.npy"
    assert np.array_equal(np.load(store.image_file("whole")), store.image("whole"))
    assert np.load(store.label_file("whole")).sum() == 5
    assert sorted(p.name for p in labels.rglob("*")) == [*["label.npy"] * 2, "part", "whole"]
    assert {p.name for p in store.folder.rglob("*.*")} == {
        "image.npy",
        "case.json",
        "manifest.json",
    }
    labels.rename(labels.with_name("away"))
    assert store.volume("whole", with_label=False).image.shape == (4, 6, 5)
    with pytest.raises(DataError, match=r"store-labels/whole/label\.npy is missing"):
        store.volume("whole", with_label=True)
    with pytest.raises(RequestError, match="unknown case of two 'whol'; did you mean whole"):
        store.label_file("whol")


def test_opening_imports_neither_torch_nor_a_reader(store: Store) -> None:
    code = (
        "import sys; from pathlib import Path; from bench.data.store import open_store; "
        f"open_store(Path({str(store.folder)!r})).volume('whole', with_label=True); "
        "print(sorted({'torch', 'monai', 'nibabel', 'SimpleITK', 'h5py', 'rich', 'pydantic'} "
        "& set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_more_volumes_than_a_shell_allows_files(store: Store) -> None:
    """A mapped array holds its file open; the soft limit of 1024 is below a large sweep's need."""
    code = (
        "import os, resource; from pathlib import Path; from bench.data.store import open_store; "
        f"store = open_store(Path({str(store.folder)!r})); "
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]; "
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard)); "
        "held = [store.volume('whole', with_label=True) for _ in range(100)]; "
        "print(len(held), held[-1].image[0, 0, 0])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "100 -60.0", done.stderr


def test_an_unknown_case_names_the_nearest(store: Store) -> None:
    with pytest.raises(RequestError, match="unknown case of two 'whol'; did you mean whole"):
        store.volume("whol", with_label=False)


def test_a_folder_without_a_manifest_is_no_store(store: Store, tmp_path: Path) -> None:
    (store.folder / "manifest.json").unlink()
    message = re.escape(f"{store.folder} holds no finished store; run `prepare`")
    with pytest.raises(RequestError, match=message):
        open_store(store.folder)
    with pytest.raises(RequestError, match="holds no finished store; run `prepare`"):
        open_store(tmp_path / "nowhere")


@pytest.mark.parametrize("damage", ["cut", "no JSON", "key", "format", "changed"])
def test_a_damaged_manifest_says_what_to_do(store: Store, damage: str) -> None:
    path = store.folder / "manifest.json"
    text = path.read_text()
    content = json.loads(text)
    if damage == "key":
        del content["cases"][0]["shape"]
    elif damage == "format":
        content["format"] = 99
    elif damage == "changed":
        content["cases"][0]["patient"] = "p9"
    text = {"cut": text[:-9], "no JSON": "[]"}.get(damage, json.dumps(content))
    path.write_text(text)
    message = f"{path} is damaged, or of another version; {remedy(store)}"
    with pytest.raises(RequestError, match=re.escape(message)):
        open_store(store.folder)


def remedy(store: Store) -> str:
    both = f"{store.folder} and {labels_folder(store.folder)}"
    return f"delete the folders {both}, or run `prepare` again"


@pytest.mark.parametrize("name", ["image", "label"])
def test_a_missing_or_cut_file_is_seen_on_opening(store: Store, name: str) -> None:
    path = store.image_file("whole") if name == "image" else store.label_file("whole")
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    message = f"case whole: {path} is cut off or changed: {len(data) - 1} bytes, not {len(data)}; "
    with pytest.raises(DataError, match=re.escape(message + remedy(store))):
        open_store(store.folder)
    path.unlink()
    message = f"case whole: {path} is missing; {remedy(store)}"
    with pytest.raises(DataError, match=re.escape(message)):
        open_store(store.folder)


def test_damage_after_opening_is_seen_on_reading(store: Store) -> None:
    path = store.folder / "whole" / "image.npy"
    end = remedy(store)
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(DataError, match=re.escape(f"case whole: {path} is cut off; {end}")):
        store.image("whole")
    path.write_bytes(b"")
    with pytest.raises(DataError, match=re.escape(f"{path} is cut off; {end}")):
        store.image("whole")
    np.save(path, np.zeros((4, 6, 5), np.float32))
    message = f"{path} is float32 (4, 6, 5), not float16 (4, 6, 5); {end}"
    with pytest.raises(DataError, match=re.escape(message)):
        store.image("whole")
    path.unlink()
    with pytest.raises(DataError, match=re.escape(f"{path} is missing; {end}")):
        store.image("whole")


def test_a_manifest_survives_its_json(store: Store) -> None:
    content = json.loads((store.folder / "manifest.json").read_text())
    assert manifest_from_json(content) == store.manifest


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([0, 2048, -2048], "float16"),
        ([0, 2049, 1], "float32"),  # float16 holds whole numbers up to 2048
        ([0, 65504, 1], "float16"),
        ([0, 65536, 1], "float32"),  # beyond the largest float16
        ([0.5, 0.25, 1.125], "float16"),
        ([0.1, 0.2, 0.3], "float32"),
        ([6e-8, 0, 0], "float32"),
        ([2.0**-24, 0, 0], "float16"),  # the smallest float16
    ],
)
def test_float16_only_where_it_is_exact(values: list[float], dtype: str) -> None:
    image = canonical_image(np.array(values).reshape(1, 1, 3))
    assert image.dtype == dtype
    assert image.ravel().tolist() == np.float32(values).tolist()


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_no_float32_is_ever_changed(values: list[float]) -> None:
    given_image = np.array(values, np.float32).reshape(1, 1, -1)
    assert np.array_equal(canonical_image(given_image), given_image)


@given(st.lists(st.text(min_size=1), min_size=2, max_size=20, unique=True))
def test_folder_names_are_safe_and_differ(cases: list[str]) -> None:
    names = [safe_name(case) for case in cases]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9_~%-][A-Za-z0-9_.~%-]*", name)
        assert len(name) < 200


@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("Case07", "Case07"),
        ("patient001_frame01", "patient001_frame01"),
        ("a/b", "a%2Fb"),
        ("..", "%2E."),
        ("a b", "a%20b"),
        ("caf\udce9", "caf%E9"),
    ],
)
def test_plain_ids_keep_their_names(case: str, name: str) -> None:
    assert safe_name(case) == name


def test_long_ids_stay_apart() -> None:
    one, two = safe_name("x" * 300 + "1"), safe_name("x" * 300 + "2")
    assert one != two
    assert len(one) == len(two) == 137
