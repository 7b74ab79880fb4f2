"""ACDC: two frames of a patient, as NIfTI with Info.cfg or as HDF5."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import h5py
import nibabel
import numpy as np
import pytest

from bench.data.splits import load_book
from bench.errors import DataError
from datasets.acdc.dataset import ACDC, phases

AFFINE = np.diag([1.5, 1.5, 10, 1])


def dataset(root: Path) -> ACDC:
    return ACDC(SimpleNamespace(), root)


def write_official(base: Path, number: int, frames: tuple[int, int] = (1, 12)) -> Path:
    """Both frames of (x, y, z) = (6, 5, 3) voxels, the 4D film and Info.cfg."""
    patient = base / f"patient{number:03d}"
    patient.mkdir(parents=True)
    for frame in frames:
        name = f"{patient.name}_frame{frame:02d}"
        voxels = np.full((6, 5, 3), frame, np.int16)
        nibabel.Nifti1Image(voxels, AFFINE).to_filename(patient / f"{name}.nii.gz")
        label = np.zeros((6, 5, 3), np.uint8)
        label[1:4, 1:4, 1] = 3
        nibabel.Nifti1Image(label, AFFINE).to_filename(patient / f"{name}_gt.nii.gz")
    (patient / f"{patient.name}_4d.nii.gz").touch()
    (patient / "Info.cfg").write_text(
        f"ED: {frames[0]}\nES: {frames[1]}\nGroup: DCM\nHeight: 184.0\nNbFrame: 30\nWeight: 95.0\n"
    )
    return patient


@pytest.mark.parametrize("inside", ["", "training", "ACDC/database/training", "acdc"])
def test_official(tmp_path: Path, inside: str) -> None:
    write_official(tmp_path / inside, 4)
    write_official(tmp_path / inside, 100, frames=(2, 9))
    write_official(tmp_path / inside, 101)  # a patient of the challenge's test set
    copy = dataset(tmp_path).find()
    assert copy is not None
    assert copy.layout == "official"
    assert [(source.case, source.patient) for source in copy.sources] == [
        ("patient004_frame01", "patient004"),
        ("patient004_frame12", "patient004"),
        ("patient100_frame02", "patient100"),
        ("patient100_frame09", "patient100"),
    ]
    raw = dataset(tmp_path).read(copy.sources[1])
    assert raw.image.shape == raw.label.shape == (3, 5, 6)
    assert (raw.image == 12).all()
    assert np.count_nonzero(raw.label == 3) == 9
    assert raw.label[1, 1, 1] == 3
    assert raw.spacing == (10, 1.5, 1.5)


def test_info_names_the_frames(tmp_path: Path) -> None:
    patient = write_official(tmp_path, 1)
    (patient / "patient001_frame05.nii.gz").touch()
    copy = dataset(tmp_path).find()
    assert copy is not None
    assert [source.case[-2:] for source in copy.sources] == ["01", "12"]
    (patient / "Info.cfg").unlink()
    copy = dataset(tmp_path).find()
    assert copy is not None
    assert [source.case[-2:] for source in copy.sources] == ["01", "05", "12"]


def test_missing_files_are_said_when_the_case_is_read(tmp_path: Path) -> None:
    patient = write_official(tmp_path, 1)
    (patient / "patient001_frame01_gt.nii.gz").unlink()
    (patient / "patient001_frame12.nii.gz").unlink()
    copy = dataset(tmp_path).find()
    assert copy is not None
    with pytest.raises(
        DataError, match=r"case patient001_frame01: there is no segmentation: .*_gt"
    ):
        dataset(tmp_path).read(copy.sources[0])
    with pytest.raises(
        DataError, match=r"case patient001_frame12: Info\.cfg names this frame, but"
    ):
        dataset(tmp_path).read(copy.sources[1])


def test_phases(tmp_path: Path) -> None:
    info = tmp_path / "Info.cfg"
    assert phases(info) == set()
    info.write_text("ED: 1\r\nES: 07\r\nGroup: NOR\r\n")
    assert phases(info) == {1, 7}
    info.write_text("nothing of it\nED: x\n")
    assert phases(info) == set()


@pytest.mark.parametrize("inside", ["", "ACDC_training_volumes", "acdc/data"])
def test_h5(tmp_path: Path, inside: str) -> None:
    folder = tmp_path / inside
    folder.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(0).random((3, 5, 6)).astype(np.float32)
    for name in ("patient002_frame01", "patient002_frame12", "patient150_frame01", "other"):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file["image"] = image
            file["label"] = (image > 0.5).astype(np.uint8)
    copy = dataset(tmp_path).find()
    assert copy is not None
    assert copy.layout == "h5"
    assert [source.case for source in copy.sources] == ["patient002_frame01", "patient002_frame12"]
    raw = dataset(tmp_path).read(copy.sources[0])
    np.testing.assert_array_equal(raw.image, image)
    np.testing.assert_array_equal(raw.label, image > 0.5)
    assert raw.spacing is None


def test_nothing_there(tmp_path: Path) -> None:
    assert dataset(tmp_path).find() is None


@pytest.mark.shared
def test_the_real_copy(shared_data: Path, project_root: Path) -> None:
    copy = dataset(shared_data).find()
    assert copy is not None
    assert (copy.layout, len(copy.sources)) == ("h5", 74)
    patients = {source.patient for source in copy.sources}
    book = load_book(project_root / "datasets/acdc/split.json", "acdc")
    assert len(patients) == 37
    assert patients <= set(book.splits["ssl4mis"].patients)
    raw = dataset(shared_data).read(copy.sources[0])
    assert raw.image.shape == raw.label.shape == (10, 256, 216)
    assert set(np.unique(raw.label)) == {0, 1, 2, 3}
