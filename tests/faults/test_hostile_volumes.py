"""Volumes that were made to do harm. Broken ones of every kind: tests/data/test_readers_broken.py,
test_fuzz_volumes.py; hostile archives: tests/fetch/test_unpack_hostile.py."""

from __future__ import annotations

import gzip
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import nibabel
import numpy as np
import psutil
import pytest

from bench.data.readers import read_image
from bench.data.readers.claim import claimed_bytes
from bench.errors import DataError
from tests.faults.asking import Reader

HUGE = "1000000 1000000 1000000"
VOXELS = np.ones((4, 5, 6), np.int16)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    made = Reader(tmp_path_factory.mktemp("reader"))
    yield made
    made.close()


def meta(shape: str, *, packed: bool) -> bytes:
    more = "CompressedData = True\nCompressedDataSize = 9\n" if packed else ""
    return (
        f"NDims = 3\nDimSize = {shape}\nElementType = MET_UCHAR\n{more}ElementDataFile = LOCAL\n"
    ).encode() + b"x" * 9


def nrrd(shape: str, encoding: str) -> bytes:
    head = f"NRRD0004\ntype: uint8\ndimension: 3\nsizes: {shape}\nencoding: {encoding}\n\n"
    return head.encode() + b"x" * 9


def nifti2(*shape: int) -> bytes:
    image = nibabel.Nifti2Image(VOXELS.T, np.eye(4))
    content = bytearray(image.to_bytes())
    struct.pack_into("<8q", content, 16, 3, *shape, 1, 1, 1, 1)
    return bytes(content)


def npy(shape: str = "(1000000, 1000000, 1000000)") -> bytes:
    head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head + b"x" * 9


CLAIMS: dict[str, Callable[[], bytes]] = {
    "a.mha": lambda: meta(HUGE, packed=False),
    "b.mha": lambda: meta(HUGE, packed=True),
    "a.nrrd": lambda: nrrd(HUGE, "raw"),
    "b.nrrd": lambda: nrrd(HUGE, "gzip"),
    "a.nii": lambda: nifti2(10**6, 10**6, 10**6),
    "a.nii.gz": lambda: gzip.compress(nifti2(10**6, 10**6, 10**6)),
    "a.npy": npy,
    "a.npz": lambda: zipped("image.npy", npy()),
    "c.mha": lambda: meta("1000 1000 1000", packed=True),
    "c.nrrd": lambda: nrrd("1000 1000 1000", "gzip"),
    "c.nii.gz": lambda: gzip.compress(nifti2(1000, 1000, 1000)),
    "c.npy": lambda: npy("(1000, 1000, 1000)"),
    "d.npy": lambda: npy("(" + "1000000, " * 60 + ")"),
}


def zipped(name: str, content: bytes) -> bytes:
    import io

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("name", CLAIMS)
def test_a_header_that_claims_what_is_not_there(reader: Reader, name: str) -> None:
    """Refused in a process whose memory is watched: `Reader` fails at 192 MiB."""
    found = reader.ask("volume", name, CLAIMS[name]())
    assert found["end"] == "refused"
    assert "header" in found["said"]


def test_a_sparse_file_holds_what_it_claims_and_is_refused_all_the_same(reader: Reader) -> None:
    path = reader.folder / "sparse.raw"
    path.touch()
    os.truncate(path, 3000**3)
    header = meta("3000 3000 3000", packed=False).replace(b"LOCAL", b"sparse.raw")
    found = reader.ask("volume", "sparse.mhd", header.partition(b"xxx")[0])
    path.unlink()
    assert "more than 2147483648 voxels; check its header, or crop it" in found["said"]


def test_more_than_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    free = psutil.virtual_memory()._replace(available=10**9)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    assert claimed_bytes(Path("a.nii"), "a", (1000, 1000, 999), 1) == 999_000_000
    with pytest.raises(DataError, match=r"take 1\.9 GiB of memory, 0\.9 GiB are free; crop it"):
        claimed_bytes(Path("a.nii"), "a", (1000, 1000, 1000), 2)


def test_bombs_behind_the_voxels_and_in_the_header(reader: Reader) -> None:
    whole = nibabel.Nifti1Image(VOXELS.T, np.eye(4)).to_bytes()
    bomb = gzip.compress(whole + bytes(80 << 20), 1)
    assert "unpacks to more than" in reader.ask("volume", "bomb.nii.gz", bomb)["said"]
    content = bytearray(whole[:348] + bytes([1, 0, 0, 0]))
    struct.pack_into("<f", content, 108, 352 + 64)
    for length in (2**31 - 16, -16, 0, 4096):
        extension = struct.pack("<ii", length, 6)
        packed = gzip.compress(bytes(content) + extension + bytes(400))
        said = reader.ask("volume", "extension.nii.gz", packed)["said"]
        assert f"is broken: a header extension of {length} bytes" in said
    for start in (float("nan"), float("inf"), -1.0, 1e9):
        struct.pack_into("<f", content, 108, start)
        said = reader.ask("volume", "start.nii.gz", gzip.compress(bytes(content)))["said"]
        assert "is broken: its voxels are to start at byte" in said
    struct.pack_into("<f", content, 108, 0)
    said = reader.ask("volume", "start.nii.gz", gzip.compress(bytes(content)))["said"]
    assert "its header leaves no room for its extension" in said
    long = b"\x93NUMPY\x02\0" + struct.pack("<I", 2**31) + bytes(1000)
    for name, held in (("long.npy", long), ("long.npz", zipped("image.npy", long))):
        assert "its header is too long" in reader.ask("volume", name, held)["said"]


@pytest.mark.parametrize("place", ["type: short\n", "sizes: 9 8 5\n", "dimension: 3\n"])
def test_a_line_that_crashed_itk(reader: Reader, place: str) -> None:
    """5000 letters in any line of an NRRD header wrote beyond a buffer of the library's reader."""
    head = "NRRD0004\ntype: short\ndimension: 3\nsizes: 9 8 5\nendian: little\nencoding: raw\n\n"
    for broken in (
        head.replace(place, "A" * 5000 + "\n"),
        head.replace(place, place[:-1] + "A" * 5000),
    ):
        reader.ask("volume", "line.nrrd", broken.encode() + bytes(720))


class Bomb:
    """Unpickled, it makes a folder."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.place),)


def test_a_pickle_in_an_array_is_not_run(tmp_path: Path) -> None:
    array = np.array([Bomb(tmp_path / "struck")], dtype=object)
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    np.savez(tmp_path / "a.npz", image=array)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DataError, match="holds Python objects, which are never loaded"):
            read_image(tmp_path / name)
    assert not (tmp_path / "struck").exists()
    np.load(tmp_path / "a.npy", allow_pickle=True)  # the bomb works where it is let
    assert (tmp_path / "struck").is_dir()


def hdf5_link(file: h5py.File) -> None:
    file["image"] = h5py.ExternalLink("secret.h5", "image")


def hdf5_soft_link(file: h5py.File) -> None:
    file["image"] = h5py.SoftLink("/elsewhere")
    file["elsewhere"] = VOXELS


def hdf5_outer_storage(file: h5py.File) -> None:
    file.create_dataset("image", (4, 8, 8), "u1", external=[("secret.bin", 0, h5py.h5f.UNLIMITED)])


def hdf5_virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4, 5, 6), "i2")
    layout[:] = h5py.VirtualSource("secret.h5", "image", (4, 5, 6))
    file.create_virtual_dataset("image", layout)


def hdf5_texts(file: h5py.File) -> None:
    file["image"] = ["text"] * 9


def hdf5_parts(file: h5py.File) -> None:
    file["image"] = np.zeros((4, 5, 6), [("a", "u1"), ("b", "f4")])


def hdf5_nothing(file: h5py.File) -> None:
    file["image"] = h5py.Empty("f4")


def hdf5_bits(file: h5py.File) -> None:
    space = h5py.h5s.create_simple((4, 5, 6))
    h5py.h5d.create(file.id, b"image", h5py.h5t.UNIX_D32LE, space)


def hdf5_huge(file: h5py.File) -> None:
    file.create_dataset("image", (10**6, 10**6, 10**6), "u1", chunks=(64, 64, 64))


def hdf5_tight(file: h5py.File) -> None:
    file.create_dataset("image", (1000, 1000, 1000), "u1", chunks=(64, 64, 64), compression="gzip")


def hdf5_chunk(file: h5py.File) -> None:
    unlimited = {"maxshape": (None, None, None), "chunks": (1024, 1024, 1024)}
    file.create_dataset("image", (4, 5, 6), "u1", compression="gzip", **unlimited)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (hdf5_link, "'image' is a link; save the array itself"),
        (hdf5_soft_link, "'image' is a link; save the array itself"),
        (hdf5_outer_storage, "'image' keeps its voxels in other files; save it whole"),
        (hdf5_virtual, "'image' keeps its voxels in other files; save it whole"),
        (hdf5_texts, "real numbers are needed"),
        (hdf5_parts, "real numbers are needed"),
        (hdf5_nothing, "has no dataset 'image' among its 1 entries; save it"),
        (hdf5_bits, "'image' holds no numbers|real numbers are needed"),
        (hdf5_huge, "more than 2147483648 voxels"),
        (hdf5_tight, "no compression is that tight"),
        (hdf5_chunk, "is stored in chunks of 1073741824 bytes"),
    ],
)
def test_hdf5_that_leads_elsewhere_or_claims_too_much(
    tmp_path: Path, reader: Reader, make: Callable[[h5py.File], None], said: str
) -> None:
    (tmp_path / "secret.bin").write_bytes(b"secret" * 99)
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["image"] = VOXELS
    with h5py.File(tmp_path / "a.h5", "w") as file:
        make(file)
    with pytest.raises(DataError, match=said):
        read_image(tmp_path / "a.h5")
    assert reader.ask_file("volume", tmp_path / "a.h5")["end"] == "refused"


@pytest.mark.parametrize("name", ["/etc/hostname", "../secret.raw", "a/../../secret.raw", "..\\s"])
def test_a_header_does_not_lead_out_of_its_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.raw").write_bytes(bytes(8))
    folder = tmp_path / "inside"
    folder.mkdir()
    meta = f"NDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = {name}\n"
    (folder / "a.mhd").write_text(meta)
    text = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n"
    (folder / "a.nhdr").write_text(f"{text}data file: {name}\n")
    for header in ("a.mhd", "a.nhdr"):
        with pytest.raises(DataError, match="which leaves its folder"):
            read_image(folder / header)


@pytest.mark.parametrize(
    "ending", [".nii", ".nii.gz", ".nrrd", ".mha", ".mhd", ".h5", ".npy", ".npz"]
)
def test_a_pipe_in_the_place_of_a_file(reader: Reader, tmp_path: Path, ending: str) -> None:
    """Whoever opens it for reading waits without end."""
    os.mkfifo(tmp_path / f"a{ending}")
    found = reader.ask_file("volume", tmp_path / f"a{ending}")
    assert f"a{ending} is missing" in found["said"]
