"""Every format gives the same voxels, slices first, and the geometry a second library states."""

from __future__ import annotations

import gzip
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from bench.data.readers import RawImage, npz_shape, read_image, read_meta_header

SPACING = (3.0, 0.5, 0.75)  # z, y, x


@pytest.fixture
def voxels() -> np.ndarray:
    return np.random.default_rng(0).integers(-500, 900, (4, 5, 6)).astype(np.int16)


@pytest.fixture
def image(voxels: np.ndarray) -> sitk.Image:
    """Turned by 30 degrees about z and shifted: LPS, x first."""
    made = sitk.GetImageFromArray(voxels)
    made.SetSpacing(SPACING[::-1])
    made.SetOrigin((10.0, -20.0, 30.0))
    turn = np.deg2rad(30)
    made.SetDirection((np.cos(turn), -np.sin(turn), 0, np.sin(turn), np.cos(turn), 0, 0, 0, 1))
    return made


def world(image: sitk.Image, z: int, y: int, x: int) -> np.ndarray:
    """ITK's own mm of a voxel, from LPS to RAS."""
    return np.array(image.TransformIndexToPhysicalPoint((x, y, z))) * (-1, -1, 1)


ITK_FORMATS = ["a.mhd", "a.mha", "a.nrrd", "a.nhdr", "a.nii", "a.nii.gz", "A.NII.GZ"]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ITK_FORMATS)
def test_voxels_and_geometry(
    tmp_path: Path, voxels: np.ndarray, image: sitk.Image, name: str, packed: bool
) -> None:
    path = tmp_path / name
    written = tmp_path / name.lower()
    sitk.WriteImage(image, str(written), useCompression=packed)
    written.rename(path)
    read = read_image(path)
    assert read.array.dtype == np.int16
    np.testing.assert_array_equal(read.array, voxels)
    assert read.spacing == pytest.approx(SPACING, abs=1e-5)
    assert read.affine is not None
    for index in ((0, 0, 0), (3, 4, 5), (2, 0, 1)):
        np.testing.assert_allclose((read.affine @ (*index, 1))[:3], world(image, *index), atol=1e-4)


@pytest.mark.parametrize("packed", [False, True])
def test_a_raw_file_is_read_through_its_header(
    tmp_path: Path, voxels: np.ndarray, image: sitk.Image, packed: bool
) -> None:
    sitk.WriteImage(image, str(tmp_path / "a.mhd"), useCompression=packed)
    data = tmp_path / ("a.zraw" if packed else "a.raw")
    np.testing.assert_array_equal(read_image(data).array, voxels)


def test_nifti_is_transposed_not_reoriented(tmp_path: Path) -> None:
    stored = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    affine = np.array([[0, 0, 2.0, 1], [-1.5, 0, 0, 2], [0, 4, 0, 3], [0, 0, 0, 1]])
    nibabel.Nifti1Image(stored, affine).to_filename(tmp_path / "a.nii")
    read = read_image(tmp_path / "a.nii")
    np.testing.assert_array_equal(read.array, stored.T)
    assert read.spacing == (2.0, 4.0, 1.5)
    assert read.affine is not None
    np.testing.assert_allclose(read.affine @ (3, 2, 1, 1), affine @ (1, 2, 3, 1))


def test_nifti_scale_is_applied(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header()
    made = nibabel.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), np.eye(4), header)
    made.header.set_slope_inter(0.5, -10)
    made.to_filename(tmp_path / "a.nii.gz")
    stored = nibabel.load(tmp_path / "a.nii.gz")
    read = read_image(tmp_path / "a.nii.gz")
    assert read.array.dtype == np.float32
    np.testing.assert_allclose(read.array, np.asanyarray(stored.dataobj).T, rtol=1e-6)


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("micron", 1e-3), ("meter", 1e3)])
def test_nifti_units(tmp_path: Path, unit: str, factor: float) -> None:
    made = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.diag([1.0, 2, 4, 1]))
    made.header.set_xyzt_units(unit)
    made.to_filename(tmp_path / "a.nii")
    assert read_image(tmp_path / "a.nii").spacing == pytest.approx((4 * factor, 2 * factor, factor))
    if unit != "mm":  # ITK scales, too
        itk = sitk.ReadImage(str(tmp_path / "a.nii")).GetSpacing()
        assert itk == pytest.approx((factor, 2 * factor, 4 * factor))


def test_gzip_of_several_members(tmp_path: Path, voxels: np.ndarray) -> None:
    nibabel.Nifti1Image(voxels.T, np.eye(4)).to_filename(tmp_path / "a.nii")
    whole = (tmp_path / "a.nii").read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(whole[:200]) + gzip.compress(whole[200:]))
    np.testing.assert_array_equal(read_image(tmp_path / "b.nii.gz").array, voxels)


def test_a_header_without_spacing_gives_none(tmp_path: Path, voxels: np.ndarray) -> None:
    image = sitk.GetImageFromArray(voxels)
    for name, key in (("a.mhd", "ElementSpacing"), ("a.nhdr", "space directions")):
        sitk.WriteImage(image, str(tmp_path / name))
        lines = (tmp_path / name).read_text().splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith((key, "space", "kinds"))]
        assert len(kept) < len(lines)
        (tmp_path / name).write_text("".join(kept))
        read = read_image(tmp_path / name)
        np.testing.assert_array_equal(read.array, voxels)
        assert (read.spacing, read.affine) == (None, None)


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_hdf5(tmp_path: Path, voxels: np.ndarray, compression: str | None) -> None:
    with h5py.File(tmp_path / "a.npy.h5", "w") as file:
        file.create_dataset("image", data=voxels, compression=compression)
        file.create_dataset("label", data=voxels > 0)
    read = read_image(tmp_path / "a.npy.h5")
    np.testing.assert_array_equal(read.array, voxels)
    assert (read.spacing, read.affine) == (None, None)
    assert read_image(tmp_path / "a.npy.h5", key="label").array.dtype == bool


@pytest.mark.parametrize("order", ["C", "F"])
def test_numpy(tmp_path: Path, voxels: np.ndarray, order: str) -> None:
    array = np.asarray(voxels, order=order)  # type: ignore[call-overload]
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", image=array, label=array)
    np.savez_compressed(tmp_path / "b.npz", image=array)
    for name in ("a.npy", "a.npz", "b.npz"):
        np.testing.assert_array_equal(read_image(tmp_path / name).array, voxels)
    assert npz_shape(tmp_path / "b.npz", "b", "image") == (4, 5, 6)


def test_numpy_headers_of_version_two(tmp_path: Path, voxels: np.ndarray) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array(file, voxels, version=(2, 0))
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy").array, voxels)


@pytest.mark.parametrize("shape", [(5, 6), (2, 4, 5, 6)])
@pytest.mark.parametrize("name", ["a.nii.gz", "a.npy", "a.h5", "a.mha", "a.nrrd"])
def test_other_dimensions_pass_untouched(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    path = tmp_path / name
    if name == "a.nii.gz":
        nibabel.Nifti1Image(array.T, np.eye(4)).to_filename(path)
    elif name == "a.npy":
        np.save(path, array)
    elif name == "a.h5":
        with h5py.File(path, "w") as file:
            file["image"] = array
    else:
        sitk.WriteImage(sitk.GetImageFromArray(array, isVector=False), str(path))
    read = read_image(path)
    np.testing.assert_array_equal(read.array, array)
    assert read.spacing == ((1, 1, 1) if name == "a.nii.gz" and len(shape) == 4 else None)


def test_the_meta_header_alone(tmp_path: Path, image: sitk.Image) -> None:
    sitk.WriteImage(image, str(tmp_path / "a.mhd"), useCompression=True)
    (tmp_path / "a.zraw").unlink()
    header = read_meta_header(tmp_path / "a.mhd", "a")
    assert (header.shape, header.size, header.compressed) == ((4, 5, 6), 240, True)
    assert header.data == tmp_path / "a.zraw"


def test_nothing_is_printed(
    tmp_path: Path, image: sitk.Image, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.mhd", "a.nrrd", "a.nii.gz"):
        sitk.WriteImage(image, str(tmp_path / name))
        assert isinstance(read_image(tmp_path / name), RawImage)
    assert capfd.readouterr() == ("", "")


@pytest.mark.shared
def test_the_real_fixtures_agree_with_simpleitk(shared_data: Path) -> None:
    paths = sorted((shared_data / "fixtures").rglob("*.n*"))
    assert len(paths) == 9
    for path in paths:
        read, itk = read_image(path), sitk.ReadImage(str(path))
        np.testing.assert_array_equal(read.array, sitk.GetArrayFromImage(itk))
        assert read.spacing == pytest.approx(itk.GetSpacing()[::-1], rel=1e-5)
