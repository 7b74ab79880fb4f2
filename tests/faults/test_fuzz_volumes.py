"""Broken volumes of every format: read, or refused in one line; no crash, no hang, no memory.

Thousands of new ones: pytest tests/faults -k fuzz --hypothesis-profile=long
"""

from __future__ import annotations

import gzip
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.asking import Reader
from tests.faults.spoiling import many, spoiled

VOXELS = np.random.default_rng(0).integers(0, 2, (5, 8, 9)).astype(np.int16)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    made = Reader(tmp_path_factory.mktemp("reader"))
    yield made
    made.close()
    assert made.counts["refused"] > made.counts["read"] / 100  # what was asked was mostly broken


def written(name: str, *, packed: bool = False) -> bytes:
    """A whole file, as a library writes it."""
    image = sitk.GetImageFromArray(VOXELS)
    image.SetDirection((0, 1, 0, -1, 0, 0, 0, 0, 1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        sitk.WriteImage(image, str(path), useCompression=packed)
        return path.read_bytes()


def hdf5() -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("image", data=VOXELS, compression="gzip", chunks=(2, 4, 4))
        file["label"] = VOXELS
    return buffer.getvalue()


def numpy_file(*, zipped: bool = False, packed: bool = False) -> bytes:
    buffer = io.BytesIO()
    if not zipped:
        np.save(buffer, VOXELS)
    else:
        (np.savez_compressed if packed else np.savez)(buffer, image=VOXELS)
    return buffer.getvalue()


def nifti(kind: type = nibabel.Nifti1Image) -> bytes:
    """With a scale and an extension."""
    image = kind(VOXELS.T, np.eye(4))
    image.header.set_slope_inter(2, 1)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, b"a remark" * 4))
    return bytes(image.to_bytes())


NIFTI, NIFTI2 = nifti(), nifti(nibabel.Nifti2Image)
TEXT_HEADS = {
    "nrrd": [written("a.nrrd"), written("a.nrrd", packed=True)],
    "mha": [written("a.mha"), written("a.mha", packed=True)],
    "npy": [numpy_file()],
}
DETACHED = {"nhdr": written("a.nhdr"), "mhd": written("a.mhd")}
BINARY = {"nii": [NIFTI, NIFTI2], "h5": [hdf5()]}
BINARY["npz"] = [numpy_file(zipped=True), numpy_file(zipped=True, packed=True)]


def asks(name: str, whole: list[bytes], *, text: bool) -> st.SearchStrategy[bytes]:
    return st.sampled_from(whole).flatmap(lambda one: spoiled(one, text=text))


@many(60)
@given(content=asks("nii", BINARY["nii"], text=False))
def test_nifti(reader: Reader, content: bytes) -> None:
    reader.ask("volume", "a.nii", content)


@many(60)
@given(content=asks("nii", BINARY["nii"], text=False))
def test_packed_nifti(reader: Reader, content: bytes) -> None:
    """Broken inside a whole gzip file."""
    reader.ask("volume", "a.nii.gz", gzip.compress(content, 1))


@many(60)
@given(content=spoiled(gzip.compress(NIFTI), head=60))
def test_broken_packing(reader: Reader, content: bytes) -> None:
    reader.ask("volume", "b.nii.gz", content)


@many(120)
@given(content=asks("nrrd", TEXT_HEADS["nrrd"], text=True))
def test_nrrd(reader: Reader, content: bytes) -> None:
    reader.ask("volume", "a.nrrd", content)


@many(120)
@given(content=asks("mha", TEXT_HEADS["mha"], text=True))
def test_metaimage(reader: Reader, content: bytes) -> None:
    reader.ask("volume", "a.mha", content)


@pytest.mark.parametrize("name", sorted(DETACHED))
def test_headers_beside_their_voxels(reader: Reader, name: str) -> None:
    (reader.folder / "a.raw").write_bytes(VOXELS.tobytes())

    @many(60)
    @given(content=spoiled(DETACHED[name], text=True))
    def ask(content: bytes) -> None:
        reader.ask("volume", f"a.{name}", content)

    ask()


@many(80)
@given(content=asks("h5", BINARY["h5"], text=False))
def test_hdf5(reader: Reader, content: bytes) -> None:
    reader.ask("volume", "a.h5", content)


@many(60)
@given(content=asks("npy", TEXT_HEADS["npy"], text=True))
def test_npy(reader: Reader, content: bytes) -> None:
    reader.ask("volume", "a.npy", content)


@many(60)
@given(content=asks("npz", BINARY["npz"], text=False))
def test_npz(reader: Reader, content: bytes) -> None:
    reader.ask("volume", "a.npz", content)
    reader.ask("shape", "a.npz", content)


@many(40)
@given(
    ending=st.sampled_from(
        [".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".h5", ".npz", ".npy"]
    ),
    begin=st.sampled_from([b"", b"NRRD0004\n", b"\x93NUMPY\x01\0", b"PK\3\4", b"\x1f\x8b\x08\0"]),
    rest=st.binary(max_size=600),
)
def test_noise(reader: Reader, ending: str, begin: bytes, rest: bytes) -> None:
    reader.ask("volume", f"noise{ending}", begin + rest)


@pytest.mark.parametrize("name", ["nrrd", "mha", "npy", "nii", "h5", "npz"])
def test_the_whole_files_are_read(reader: Reader, name: str) -> None:
    """So what is refused above is refused for what was broken."""
    for content in {**TEXT_HEADS, **BINARY}[name]:
        found = reader.ask("volume", f"whole.{name}", content)
        # The scale of the NIfTI file makes its ones threes, which is no label: it was read.
        assert found["end"] == "read" or "the segmentation holds label 3" in found["said"]
