"""LA 2018: the challenge's NRRD files and the literature's cropped HDF5 file."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from bench.data.splits import load_book
from bench.errors import DataError
from datasets.la2018.dataset import LA2018

PATIENT = "06SR5RBREL16DQ6M8LWS"


def dataset(root: Path) -> LA2018:
    return LA2018(SimpleNamespace(), root)


def write_official(folder: Path, *, origin: float = 0.0, spacing: float = 0.625) -> np.ndarray:
    """(8, 6, 5) uint8 image; label 255 in a box."""
    folder.mkdir(parents=True)
    label = np.zeros((8, 6, 5), np.uint8)
    label[2:5, 1:3, 2:4] = 255
    image = sitk.GetImageFromArray(np.arange(240, dtype=np.uint8).reshape(8, 6, 5))
    image.SetSpacing((0.625,) * 3)
    sitk.WriteImage(image, str(folder / "lgemri.nrrd"))
    cavity = sitk.GetImageFromArray(label)
    cavity.SetSpacing((spacing,) * 3)
    cavity.SetOrigin((origin,) * 3)
    sitk.WriteImage(cavity, str(folder / "laendo.nrrd"), useCompression=True)
    return label


@pytest.mark.parametrize("inside", ["", "Training Set", "la2018", "la2018/Training Set"])
def test_official(tmp_path: Path, inside: str) -> None:
    label = write_official(tmp_path / inside / PATIENT)
    copy = dataset(tmp_path).find()
    assert copy is not None
    assert copy.layout == "official"
    (source,) = copy.sources
    assert (source.case, source.patient) == (PATIENT, PATIENT)
    assert [path.name for path in source.files] == ["lgemri.nrrd", "laendo.nrrd"]
    raw = dataset(tmp_path).read(source)
    np.testing.assert_array_equal(raw.label, label // 255)
    np.testing.assert_array_equal(raw.image.ravel(), np.arange(240))
    assert raw.spacing == (0.625, 0.625, 0.625)


def test_headers_may_differ_in_origin_only(tmp_path: Path) -> None:
    write_official(tmp_path / "a" / PATIENT, origin=40.0)
    copy = dataset(tmp_path / "a").find()
    assert copy is not None
    assert dataset(tmp_path / "a").read(copy.sources[0]).label.max() == 1
    write_official(tmp_path / "b" / PATIENT, spacing=1.25)
    copy = dataset(tmp_path / "b").find()
    assert copy is not None
    with pytest.raises(DataError, match=f"case {PATIENT}: image and segmentation are not on one"):
        dataset(tmp_path / "b").read(copy.sources[0])


def test_h5_is_turned_slices_first(tmp_path: Path) -> None:
    (tmp_path / PATIENT).mkdir()
    stored = np.random.default_rng(0).normal(size=(5, 6, 8)).astype(np.float32)  # x, y, z
    with h5py.File(tmp_path / PATIENT / "mri_norm2.h5", "w") as file:
        file.create_dataset("image", data=stored, compression="gzip")
        file.create_dataset("label", data=(stored > 0).astype(np.uint8), compression="gzip")
    copy = dataset(tmp_path).find()
    assert copy is not None
    assert copy.layout == "h5"
    raw = dataset(tmp_path).read(copy.sources[0])
    assert raw.image.shape == (8, 6, 5)
    assert raw.image[7, 2, 3] == stored[3, 2, 7]
    np.testing.assert_array_equal(raw.label, raw.image > 0)
    assert (raw.spacing, raw.affine) == (None, None)


def test_an_official_copy_is_preferred(tmp_path: Path) -> None:
    write_official(tmp_path / PATIENT)
    (tmp_path / PATIENT / "mri_norm2.h5").touch()
    copy = dataset(tmp_path).find()
    assert copy is not None
    assert copy.layout == "official"


def test_broken_copies(tmp_path: Path) -> None:
    assert dataset(tmp_path).find() is None
    write_official(tmp_path / PATIENT)
    (tmp_path / PATIENT / "laendo.nrrd").unlink()
    (tmp_path / "no patient").mkdir()
    copy = dataset(tmp_path).find()
    assert copy is not None
    assert len(copy.sources) == 1
    with pytest.raises(DataError, match=r"there is no segmentation: .*laendo\.nrrd is missing"):
        dataset(tmp_path).read(copy.sources[0])
    (tmp_path / PATIENT / "lgemri.nrrd").rename(tmp_path / PATIENT / "mri_norm2.h5")
    copy = dataset(tmp_path).find()
    assert copy is not None
    with pytest.raises(DataError, match="is not HDF5, or it is cut off"):
        dataset(tmp_path).read(copy.sources[0])


@pytest.mark.shared
def test_the_real_copy(shared_data: Path, project_root: Path) -> None:
    copy = dataset(shared_data).find()
    assert copy is not None
    assert (copy.layout, len(copy.sources)) == ("h5", 40)
    book = load_book(project_root / "datasets/la2018/split.json", "la2018")
    assert {source.patient for source in copy.sources} <= set(book.splits["uamt"].patients)
    source = next(source for source in copy.sources if source.case == PATIENT)
    raw = dataset(shared_data).read(source)
    assert raw.image.shape[0] == raw.label.shape[0] == 88
    listed = [index for case, index in book.draws["hsam"].slices if case == PATIENT]
    assert list(np.flatnonzero(raw.label.any(axis=(1, 2)))) == listed
