"""Synapse: raw BTCV volumes with the label map, and TransUNet's slices and volumes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import h5py
import nibabel
import numpy as np
import pytest

from bench.data.splits import load_book
from bench.errors import DataError, RequestError
from datasets.synapse.dataset import DEPTH, Synapse, to_organs

AFFINE = np.diag([-0.8, -0.8, 3, 1])


def dataset(root: Path) -> Synapse:
    return Synapse(SimpleNamespace(), root)


def write_raw(base: Path, number: int, *, flat: bool = False) -> np.ndarray:
    """(x, y, z) = (7, 6, 4) Hounsfield units; the label counts through BTCV's 0 to 13."""
    label = (np.arange(168) % 14).astype(np.uint8).reshape(7, 6, 4)
    voxels = np.linspace(-1024, 3000, 168).astype(np.int16).reshape(7, 6, 4)
    for array, kind in ((voxels, "img"), (label, "label")):
        folder = base if flat else base / kind
        folder.mkdir(parents=True, exist_ok=True)
        nibabel.Nifti1Image(array, AFFINE).to_filename(folder / f"{kind}{number:04d}.nii.gz")
    return label


def write_slices(folder: Path, case: str, count: int, side: int = 512) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        image = np.full((side, side), index / 200, np.float32)
        label = np.zeros((side, side), np.float32)
        label[:index, 0] = 8
        np.savez_compressed(folder / f"{case}_slice{index:03d}.npz", image=image, label=label)


def write_volume(folder: Path, case: str) -> np.ndarray:
    folder.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(0).random((3, 8, 8)).astype(np.float32)
    with h5py.File(folder / f"{case}.npy.h5", "w") as file:
        file["image"], file["label"] = image, np.rint(image * 8).astype(np.float32)
    return image


@pytest.mark.parametrize(
    ("inside", "flat"),
    [("", False), ("", True), ("RawData/Training", False), ("synapse/RawData/Training", False)],
)
def test_raw(tmp_path: Path, inside: str, flat: bool) -> None:
    label = write_raw(tmp_path / inside, 5, flat=flat)
    copy = dataset(tmp_path).find()
    assert copy is not None
    assert copy.layout == "raw"
    (source,) = copy.sources
    assert (source.case, source.patient) == ("case0005", "case0005")
    raw = dataset(tmp_path).read(source)
    assert raw.image.shape == (4, 6, 7)
    assert (raw.image.min(), raw.image.max()) == (-1024, 3000)  # not clipped
    assert raw.spacing == pytest.approx((3, 0.8, 0.8))
    np.testing.assert_array_equal(raw.label, to_organs(label).T)


def test_the_label_map() -> None:
    """By name: BTCV has the oesophagus at 5 and vena cava, veins and adrenals at 9, 10, 12, 13."""
    theirs = np.arange(15)
    ours = [0, 1, 2, 3, 4, 0, 5, 6, 7, 0, 0, 8, 0, 0, 0]
    assert to_organs(theirs).tolist() == ours
    assert to_organs(theirs.astype(np.float32)).dtype == np.uint8


def test_a_missing_raw_label(tmp_path: Path) -> None:
    write_raw(tmp_path, 1)
    (tmp_path / "label" / "label0001.nii.gz").unlink()
    copy = dataset(tmp_path).find()
    assert copy is not None
    with pytest.raises(DataError, match=r"case case0001: there is no segmentation: .*label0001"):
        dataset(tmp_path).read(copy.sources[0])


def test_preprocessed(tmp_path: Path) -> None:
    write_slices(tmp_path / "Synapse" / "train_npz", "case0099", 3)
    image = write_volume(tmp_path / "Synapse" / "test_vol_h5", "case0001")
    copy = dataset(tmp_path).find()
    assert copy is not None
    assert copy.layout == "preprocessed"
    assert [source.case for source in copy.sources] == ["case0099", "case0001"]
    stacked = dataset(tmp_path).read(copy.sources[0])
    assert stacked.image.shape == stacked.label.shape == (3, 512, 512)
    np.testing.assert_allclose(stacked.image[:, 0, 0], [0, 0.005, 0.01])
    assert [int((plane == 8).sum()) for plane in stacked.label] == [0, 1, 2]
    volume = dataset(tmp_path).read(copy.sources[1])
    np.testing.assert_array_equal(volume.image, image)
    np.testing.assert_array_equal(volume.label, np.rint(image * 8))
    assert stacked.spacing is volume.spacing is None


def test_the_small_slices_are_another_layout(tmp_path: Path) -> None:
    write_slices(tmp_path / "train_npz_new_224", "case0099", 1, side=224)
    copy = dataset(tmp_path).find()
    assert copy is not None
    assert copy.layout == "preprocessed-224"
    (tmp_path / "train_npz_new_224" / "case0099_slice000.npz").write_bytes(b"broken")
    copy = dataset(tmp_path).find()
    assert copy is not None
    with pytest.raises(DataError, match=r"case case0099: .* is no \.npz file"):
        dataset(tmp_path).read(copy.sources[0])


def test_lost_slices_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "train_npz"
    write_slices(folder, "case0099", 4, side=16)
    (folder / "case0099_slice001.npz").unlink()
    write_slices(folder, "case0027", 87, side=4)
    copy = dataset(tmp_path).find()
    assert copy is not None
    known, other = copy.sources
    with pytest.raises(
        DataError, match=r"1 of its 88 slices are missing, the first is case0027_sl"
    ):
        dataset(tmp_path).read(known)
    with pytest.raises(DataError, match=r"1 of its 4 slices .* first is case0099_slice001\.npz in"):
        dataset(tmp_path).read(other)


def test_slices_of_two_sizes_are_refused(tmp_path: Path) -> None:
    write_slices(tmp_path / "train_npz", "case0099", 2, side=16)
    np.savez(
        tmp_path / "train_npz" / "case0099_slice001.npz",
        image=np.zeros((16, 15)),
        label=np.zeros((16, 15)),
    )
    copy = dataset(tmp_path).find()
    assert copy is not None
    with pytest.raises(DataError, match=r"case0099_slice001\.npz: image \(16, 15\) and label"):
        dataset(tmp_path).read(copy.sources[0])


def test_two_preprocessed_folders_are_not_guessed_between(tmp_path: Path) -> None:
    for name in ("train_npz", "train_npz_224"):
        (tmp_path / name).mkdir()
    with pytest.raises(RequestError, match="holds train_npz, train_npz_224; keep one of them the"):
        dataset(tmp_path).find()


def test_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "train_npz").mkdir()
    assert dataset(tmp_path).find() is None


def test_the_depths_are_those_of_the_list(project_root: Path) -> None:
    book = load_book(project_root / "datasets/synapse/split.json", "synapse")
    assert sum(DEPTH.values()) == 2211
    assert sorted(DEPTH) == list(book.splits["transunet"].train)
    assert all(index < DEPTH[case] for case, index in book.draws["hsam"].slices)


@pytest.mark.shared
def test_the_depths_are_those_of_the_published_list(shared_data: Path) -> None:
    names = (shared_data / "splits/TransUNet/lists_Synapse/train.txt").read_text().split()
    assert Counter(name.partition("_")[0] for name in names) == DEPTH
