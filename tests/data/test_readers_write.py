"""A label map goes back onto the grid of its image, whatever the two formats are."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from bench.data.readers import read_image, write_label
from bench.errors import DataError, RequestError

SHAPE = (3, 4, 5)


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 3, SHAPE).astype(np.uint8)


def make_like(folder: Path, name: str) -> Path:
    image = sitk.GetImageFromArray(np.ones(SHAPE, np.float32))
    image.SetSpacing((0.7, 0.9, 3.3))
    image.SetOrigin((-5.25, 100.5, 7))
    turn = np.deg2rad(20)
    image.SetDirection((1, 0, 0, 0, np.cos(turn), -np.sin(turn), 0, np.sin(turn), np.cos(turn)))
    path = folder / name
    sitk.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("like_name", ["l.nii.gz", "l.nii", "l.nrrd", "l.mha", "l.mhd"])
@pytest.mark.parametrize("name", ["out.nii.gz", "out.nii", "out.nrrd", "out.mha"])
def test_geometry_survives(tmp_path: Path, labels: np.ndarray, like_name: str, name: str) -> None:
    like = make_like(tmp_path, like_name)
    write_label(tmp_path / name, labels, like=like)
    first, second = sitk.ReadImage(str(like)), sitk.ReadImage(str(tmp_path / name))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(second), labels)
    assert second.GetPixelIDTypeAsString() == "8-bit unsigned integer"
    for what in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(first, what)(), getattr(second, what)(), atol=1e-5)
    one, other = read_image(like), read_image(tmp_path / name)
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-5)
    assert sorted(entry.name for entry in tmp_path.iterdir() if "out" in entry.name) == [name]


def test_nifti_keeps_its_codes_and_exact_affine(tmp_path: Path, labels: np.ndarray) -> None:
    affine = np.array([[0, 0, 2.0, 1], [-1.5, 0, 0, 2], [0, 4, 0.25, 3], [0, 0, 0, 1]])
    image = nibabel.Nifti1Image(np.ones(SHAPE[::-1], np.int16), affine)
    image.set_sform(affine, code="mni")
    image.header.set_slope_inter(2, 5)
    image.to_filename(tmp_path / "l.nii.gz")
    write_label(tmp_path / "o.nii.gz", labels, like=tmp_path / "l.nii.gz")
    written = nibabel.load(tmp_path / "o.nii.gz")
    np.testing.assert_array_equal(written.affine, affine)
    assert int(written.header["sform_code"]) == 4
    assert written.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asanyarray(written.dataobj), labels.T)


def test_metres_stay_where_they_are(tmp_path: Path, labels: np.ndarray) -> None:
    image = nibabel.Nifti1Image(np.ones(SHAPE[::-1], np.int16), np.diag([0.001, 0.002, 0.004, 1]))
    image.header.set_xyzt_units("meter")
    image.to_filename(tmp_path / "l.nii")
    write_label(tmp_path / "o.nii", labels, like=tmp_path / "l.nii")
    assert read_image(tmp_path / "o.nii").spacing == pytest.approx((4, 2, 1))


@pytest.mark.parametrize("name", ["out.npz", "out.npy"])
def test_an_image_without_geometry(tmp_path: Path, labels: np.ndarray, name: str) -> None:
    np.save(tmp_path / "l.npy", np.ones(SHAPE))
    write_label(tmp_path / name, labels, like=tmp_path / "l.npy")
    np.testing.assert_array_equal(read_image(tmp_path / name, key="label").array, labels)
    with pytest.raises(RequestError, match=r"says nothing of its geometry; write to \.npz or \.np"):
        write_label(tmp_path / "o.nii.gz", labels, like=tmp_path / "l.npy")


def test_wrong_requests(tmp_path: Path, labels: np.ndarray) -> None:
    like = make_like(tmp_path, "l.nii.gz")
    with pytest.raises(RequestError, match=r"o\.png; use one of \.nii, \.nii\.gz, \.nrrd, \.mha"):
        write_label(tmp_path / "o.png", labels, like=like)
    with pytest.raises(DataError, match="a label map is uint8, not int64"):
        write_label(tmp_path / "o.nii", labels.astype(np.int64), like=like)
    with pytest.raises(DataError, match=r"of shape \(2, 4, 5\) is not on the grid \(3, 4, 5\)"):
        write_label(tmp_path / "o.nii", labels[:2], like=like)
    with pytest.raises(DataError, match="is missing"):
        write_label(tmp_path / "o.nii", labels, like=tmp_path / "absent.nii")
    for name in ("o.nii.gz", "o.nrrd", "o.npz"):
        with pytest.raises(RequestError, match="cannot write the label map"):
            write_label(tmp_path / "absent" / name, labels, like=like)
    (tmp_path / "bad.nrrd").write_bytes(b"NRRD0004\n")
    with pytest.raises(DataError, match="is no whole NRRD header"):
        write_label(tmp_path / "o.nii", labels, like=tmp_path / "bad.nrrd")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.nrrd", "l.nii.gz"]


def test_an_old_file_is_replaced_whole(tmp_path: Path, labels: np.ndarray) -> None:
    like = make_like(tmp_path, "l.nii.gz")
    write_label(tmp_path / "o.nii.gz", labels, like=like)
    write_label(tmp_path / "o.nii.gz", np.zeros_like(labels), like=like)
    assert not read_image(tmp_path / "o.nii.gz").array.any()
