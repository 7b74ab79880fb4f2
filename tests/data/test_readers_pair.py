"""Image and segmentation in two files: one grid, or a clear word."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from bench.data.readers import files_of, folders, read_pair
from bench.errors import DataError

SHAPE = (6, 5, 4)  # x, y, z
AFFINE = np.array([[-0.5, 0, 0, 10], [0, -0.5, 0, 20], [0, 0, 3, -7], [0, 0, 0, 1.0]])


def write(path: Path, affine: np.ndarray, shape: tuple[int, ...] = SHAPE) -> Path:
    voxels = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    nibabel.Nifti1Image(voxels, affine).to_filename(path)
    return path


def test_one_grid(tmp_path: Path) -> None:
    image, label = write(tmp_path / "i.nii.gz", AFFINE), write(tmp_path / "l.nii.gz", AFFINE)
    raw = read_pair(image, label, "c")
    assert raw.image.shape == raw.label.shape == SHAPE[::-1]
    assert raw.spacing == (3, 0.5, 0.5)
    assert raw.affine is not None
    np.testing.assert_allclose(raw.affine @ (3, 2, 1, 1), AFFINE @ (1, 2, 3, 1))


def test_rounding_passes(tmp_path: Path) -> None:
    image = write(tmp_path / "i.nii.gz", AFFINE)
    near = AFFINE.copy()
    near[:3, 3] += 1e-3
    near[2, 2] *= 1 + 1e-4
    assert read_pair(image, write(tmp_path / "l.nii.gz", near), "c").image.shape == SHAPE[::-1]


@pytest.mark.parametrize("what", ["flip", "shift", "spacing"])
def test_another_grid_is_refused(tmp_path: Path, what: str) -> None:
    other = AFFINE.copy()
    if what == "flip":
        other[0, 0] *= -1
    elif what == "shift":
        other[2, 3] += 6
    else:
        other[2, 2] *= 2
    image, label = write(tmp_path / "i.nii.gz", AFFINE), write(tmp_path / "l.nii.gz", other)
    with pytest.raises(
        DataError, match=r"case c: image and segmentation are not on one grid: .* mm away from the"
    ):
        read_pair(image, label, "c")
    if what == "shift":
        assert read_pair(image, label, "c", same_origin=False).spacing == (3, 0.5, 0.5)
    else:
        with pytest.raises(DataError, match="not on one grid"):
            read_pair(image, label, "c", same_origin=False)


def test_other_shapes_are_left_to_the_checks(tmp_path: Path) -> None:
    image = write(tmp_path / "i.nii.gz", AFFINE)
    label = write(tmp_path / "l.nii.gz", AFFINE, (6, 5, 3))
    raw = read_pair(image, label, "c")
    assert (raw.image.shape, raw.label.shape) == ((4, 5, 6), (3, 5, 6))


def test_a_missing_segmentation(tmp_path: Path) -> None:
    image = write(tmp_path / "i.nii.gz", AFFINE)
    with pytest.raises(DataError, match=r"case c: there is no segmentation: .*l\.nii is missing"):
        read_pair(image, tmp_path / "l.nii", "c")


def test_files_of_a_header_include_its_voxels(tmp_path: Path) -> None:
    for name in ("a.mhd", "a.zraw", "b.nii.gz"):
        (tmp_path / name).touch()
    paths = files_of(tmp_path / "a.mhd", tmp_path / "b.nii.gz", tmp_path / "absent.nii")
    assert [path.name for path in paths] == ["a.mhd", "a.zraw", "b.nii.gz"]


def test_folders_nearest_first(tmp_path: Path) -> None:
    (tmp_path / "set" / "inner").mkdir(parents=True)
    (tmp_path / "inner").mkdir()
    found = folders(tmp_path, ("set", "absent"), ("inner", "absent"))
    assert [str(path.relative_to(tmp_path)) for path in found] == [
        ".",
        "inner",
        "set",
        "set/inner",
    ]
    assert list(folders(None, ("set",))) == []
    assert list(folders(tmp_path / "absent", ("set",))) == []
