"""Every broken file is one DataError with the case, the file and the reason; nothing is printed."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from bench.data.readers import npz_shape, read_image, read_meta_header
from bench.errors import DataError


@pytest.fixture(autouse=True)
def silent(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def voxels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 999, (6, 20, 30)).astype(np.int16)


def make(folder: Path, name: str, voxels: np.ndarray, *, packed: bool = True) -> Path:
    path = folder / name
    sitk.WriteImage(sitk.GetImageFromArray(voxels), str(path), useCompression=packed)
    return path


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def spoil(path: Path) -> None:
    """Overwrites a few bytes in the last third: the header stays whole."""
    content = bytearray(path.read_bytes())
    at = len(content) * 2 // 3
    content[at : at + 40] = bytes(40)
    path.write_bytes(bytes(content))


def grow(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))


def refused(path: Path, message: str, *, key: str = "image") -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_image(path, case="Case07", key=key)
    assert caught.value.case == "Case07"
    assert str(caught.value).startswith("case Case07: ")
    assert "\n" not in str(caught.value)


def test_cut_raw(tmp_path: Path, voxels: np.ndarray) -> None:
    path = make(tmp_path, "a.mhd", voxels, packed=False)
    cut(tmp_path / "a.raw")
    refused(path, r"a\.raw holds 4800 bytes of voxels, its header says 7200: the file is cut off")
    refused(tmp_path / "a.raw", "the file is cut off")


def test_long_raw(tmp_path: Path, voxels: np.ndarray) -> None:
    path = make(tmp_path, "a.mhd", voxels, packed=False)
    with (tmp_path / "a.raw").open("ab") as file:
        file.write(b"\0\0")
    refused(path, "holds 7202 bytes of voxels, its header says 7200: the header does not fit")


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd", "a.nii"])
def test_cut_attached(tmp_path: Path, voxels: np.ndarray, name: str) -> None:
    path = make(tmp_path, name, voxels, packed=False)
    cut(path)
    refused(path, "its header says 7200: the file is cut off")


@pytest.mark.parametrize("name", ["a.mha", "a.nrrd", "a.nii.gz"])
@pytest.mark.parametrize("harm", [cut, spoil])
def test_harmed_compressed(
    tmp_path: Path, voxels: np.ndarray, name: str, harm: Callable[[Path], None]
) -> None:
    path = make(tmp_path, name, voxels)
    harm(path)
    refused(path, "is cut off|do not unpack|cannot be read as NIfTI")


def test_a_damaged_zraw_is_found_though_itk_reads_it(tmp_path: Path, voxels: np.ndarray) -> None:
    path = make(tmp_path, "a.mhd", voxels)
    spoil(tmp_path / "a.zraw")
    silently_wrong = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert (silently_wrong != voxels).any()
    refused(path, r"a\.zraw is damaged: its compressed voxels do not unpack")


def test_a_compressed_mha_without_its_size_is_found_though_itk_reads_it(
    tmp_path: Path, voxels: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    path = make(tmp_path, "a.mha", voxels)
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join(line for line in lines if not line.startswith(b"CompressedDataS")))
    silently_wrong = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert (silently_wrong != voxels).any()
    assert "Uncompress failed" in capfd.readouterr().err
    refused(path, r"a\.mha does not say its CompressedDataSize; save it anew")


def test_a_changed_checksum_is_found(tmp_path: Path, voxels: np.ndarray) -> None:
    nibabel.Nifti1Image(voxels.T, np.eye(4)).to_filename(tmp_path / "a.nii")
    packed = bytearray(gzip.compress((tmp_path / "a.nii").read_bytes()))
    packed[-6] ^= 255
    (tmp_path / "b.nii.gz").write_bytes(bytes(packed))
    refused(tmp_path / "b.nii.gz", "is damaged: its compressed voxels do not unpack")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("a.mhd", b"DimSize = 30 20 6", b"DimSize = 1000000 1000000 1000000"),
        ("a.mha", b"DimSize = 30 20 6", b"DimSize = 1000000 1000000 1000000"),
        ("a.nrrd", b"sizes: 30 20 6", b"sizes: 1000000 1000000 1000000"),
        ("a.nhdr", b"sizes: 30 20 6", b"sizes: 1000000 1000000 1000000"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_claims_too_much(
    tmp_path: Path, voxels: np.ndarray, name: str, old: bytes, new: bytes, packed: bool
) -> None:
    path = make(tmp_path, name, voxels, packed=packed)
    grow(path, old, new)
    refused(path, "its header says 2000000000000000000 bytes of 1000000 x 1000000 x 1000000 voxels")


def test_a_stream_that_unpacks_to_more(tmp_path: Path, voxels: np.ndarray) -> None:
    path = make(tmp_path, "a.mhd", np.zeros((40, 256, 256), np.int16))
    grow(path, b"DimSize = 256 256 40", b"DimSize = 2 2 2")
    refused(path, "unpacks to more than 16 bytes, its header says 16: the header does not fit")


def test_nifti_that_claims_too_much(tmp_path: Path) -> None:
    nibabel.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)).to_filename(tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[42:48] = np.array([30000] * 3, "<i2").tobytes()
    (tmp_path / "a.nii").write_bytes(bytes(content))
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(bytes(content)))
    refused(tmp_path / "a.nii", "its header says 54000000000000 bytes of 30000 x 30000")
    refused(tmp_path / "b.nii.gz", "its header says 54000000000000 bytes of 30000 x 30000")
    content[42:44] = np.array([-3], "<i2").tobytes()
    (tmp_path / "a.nii").write_bytes(bytes(content))
    refused(tmp_path / "a.nii", "has an empty shape|cannot be read as NIfTI")


@pytest.mark.parametrize("name", ["a.mhd", "a.nhdr"])
def test_missing_data_file(tmp_path: Path, voxels: np.ndarray, name: str) -> None:
    path = make(tmp_path, name, voxels, packed=False)
    (tmp_path / "a.raw").unlink()
    refused(path, rf"a\.raw is missing; {name} keeps its voxels there")


def test_missing_files(tmp_path: Path) -> None:
    refused(tmp_path / "a.nii.gz", r"a\.nii\.gz is missing")
    refused(tmp_path / "a.raw", r"does not say its shape; a\.mhd is not beside it")
    refused(tmp_path / "a.png", r"is of no known format \(\.nii\.gz")
    (tmp_path / "a.h5").mkdir()
    refused(tmp_path / "a.h5", r"a\.h5 is missing")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.nii", b"", "cannot be read as NIfTI"),
        ("a.nii.gz", b"no gzip at all", "cannot be read as NIfTI"),
        ("a.nii", b"x" * 400, "cannot be read as NIfTI"),
        ("a.mhd", b"hello\n", "is no MetaImage header: ElementDataFile is missing"),
        ("a.mha", b"ElementDataFile = LOCAL\n", "is no MetaImage header: ElementType is missing"),
        ("a.nrrd", b"no", "is no NRRD file"),
        ("a.nrrd", b"NRRD0004\nsizes: 2 2\n\n", "is no whole NRRD header: 'type' is missing"),
        ("a.nrrd", b"NRRD0004\ntype: short\n\n", "is no whole NRRD header: 'sizes' is missing"),
        (
            "a.nrrd",
            b"NRRD0004\ntype: block\nsizes: 2\n\n",
            "its type is not read; save it as short",
        ),
        ("a.nrrd", b"NRRD0004\ntype: int\nsizes: 2 x\n\n", "its sizes should be whole numbers"),
        ("a.nrrd", b"NRRD0004\ntype: int\nsizes: 2 0\n\n", "has an empty size '2 0'"),
        (
            "a.nrrd",
            b"NRRD0004\ntype: int\nsizes: 1\nencoding: ascii\n\n1",
            "its encoding is not read; save it raw or gzip",
        ),
        (
            "a.nrrd",
            b"NRRD0004\ntype: int\nsizes: 1\nbyte skip: 3\n\n1",
            "'byte skip' is not read",
        ),
        (
            "a.nrrd",
            b"NRRD0004\ntype: int\nsizes: 1\ndata file: LIST\n",
            "spreads its voxels over several files",
        ),
        (
            "a.nrrd",
            b"NRRD0004\ntype: uint8\nsizes: 2 2\ndimension: 7\nencoding: raw\n\n1234",
            "cannot be read",
        ),
        ("a.h5", b"no hdf", "is not HDF5, or it is cut off"),
        ("a.npz", b"no zip", r"is no \.npz file, or it is cut off"),
        ("a.npy", b"no numpy", "is no NumPy array"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("ElementType = MET_STRING", "its ElementType is not read; save it as MET_SHORT"),
        ("DimSize = 2 two", "its DimSize should be whole numbers"),
        ("CompressedDataSize = x", "its CompressedDataSize should be whole numbers"),
        ("NDims = 3", "its NDims is not 2, as its DimSize has it"),
        ("DimSize = 2 0", "has an empty DimSize 2 0"),
        ("HeaderSize = 40", "its HeaderSize is not read; save it without one"),
        ("BinaryData = False", "keeps its voxels as text; save it as binary"),
        ("ElementDataFile = LIST", "spreads its voxels over several files"),
        ("ElementDataFile = a%03d.raw", "spreads its voxels over several files"),
    ],
)
def test_meta_headers(tmp_path: Path, change: str, message: str) -> None:
    fields = {
        "NDims": "2",
        "DimSize": "2 2",
        "ElementType": "MET_UCHAR",
        "ElementDataFile": "a.raw",
    }
    key, _, value = change.partition(" = ")
    last = fields.pop("ElementDataFile")
    fields[key] = value
    fields.setdefault("ElementDataFile", last)
    text = "".join(f"{name} = {entry}\n" for name, entry in fields.items())
    (tmp_path / "a.mhd").write_text(text)
    with pytest.raises(DataError, match=message):
        read_meta_header(tmp_path / "a.mhd", "a")


def test_hdf5(tmp_path: Path, voxels: np.ndarray) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("image", data=voxels, compression="gzip")
        file.create_dataset("huge", shape=(10**6,) * 3, dtype="i2", chunks=(100, 100, 100))
        file.create_group("label")
    refused(path, "has no dataset 'mask' among its 3 entries; save it under", key="mask")
    refused(path, "has no dataset 'label'", key="label")
    refused(path, "its header says 2000000000000000000 bytes of 1000000 x", key="huge")
    spoil(path)
    refused(path, "'image' is damaged and does not unpack")
    cut(path)
    refused(path, "is not HDF5, or it is cut off")


def test_npz(tmp_path: Path, voxels: np.ndarray) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, image=voxels, bad=np.array([{}], dtype=object))
    refused(path, "has no array 'label' among its 2 arrays; save it under", key="label")
    refused(path, "holds Python objects, which are never loaded", key="bad")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("image.npy", b"\x93NUMPY")
    refused(path, "is no NumPy array")
    with pytest.raises(DataError, match=r"is no \.npz file with an array 'label'"):
        npz_shape(path, "a", "label")
    np.savez_compressed(path, image=voxels)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(bytes(content))
    refused(path, "'image' is damaged and does not unpack")


def test_npy(tmp_path: Path, voxels: np.ndarray) -> None:
    path = tmp_path / "a.npy"
    np.save(path, voxels)
    grow(path, b"(6, 20, 30)", b"(9999999, )")
    refused(path, "holds 7200 bytes of voxels, its header says 19999998: it is cut off")
    np.save(path, np.array([{}], dtype=object))
    refused(path, "holds Python objects, which are never loaded")
