"""Bombs: what is packed unpacks to no more than its file says it does, or is left packed.

Other hostile volumes: test_hostile_volumes.py; archives: tests/fetch/test_unpack_hostile.py.
"""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bench.board.rescoring import kept_prediction
from bench.data.readers import npz_shape, read_image
from bench.errors import DataError
from tests.board.factory import record

VOXELS = np.arange(16**3, dtype=np.uint8).reshape(16, 16, 16)
BOMB = 16 << 20
LITTLE = 4 << 20


def npy(array: np.ndarray = VOXELS) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def zipped(
    name: str, content: bytes, method: int = zipfile.ZIP_DEFLATED, *, said: int = 0
) -> bytes:
    """An archive of one member. said: how long its list says that the member is."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(name, content)
    data = bytearray(buffer.getvalue())
    if said:
        at = data.index(b"PK\x01\x02")
        struct.pack_into("<I", data, at + 16, zlib.crc32(content[:said]))
        struct.pack_into("<I", data, at + 24, said)
    return bytes(data)


def peak(work: Callable[[], object]) -> int:
    """Bytes that Python took at most."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


PACKINGS = [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "LZMA")]


@pytest.mark.parametrize(("method", "name"), PACKINGS)
def test_npz_of_a_packing_without_a_bound(tmp_path: Path, method: int, name: str) -> None:
    """zipfile unpacks it whole, whatever its list says."""
    path = tmp_path / "a.npz"
    path.write_bytes(zipped("image.npy", npy(), method))
    said = f"'image' is packed with {name}; save it with np.savez_compressed"
    with pytest.raises(DataError, match=said):
        read_image(path)
    with pytest.raises(DataError, match=said):
        npz_shape(path, "a", "image")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_npz_that_goes_on_behind_its_array(tmp_path: Path, method: int) -> None:
    """Longer than the 4 kB that zipfile takes at once."""
    array = np.arange(20_000, dtype=np.uint16).reshape(8, 50, 50)
    whole = npy(array)
    path = tmp_path / "a.npz"
    path.write_bytes(zipped("image.npy", whole + bytes(BOMB), method, said=len(whole)))
    assert peak(lambda: read_image(path)) < LITTLE
    np.testing.assert_array_equal(read_image(path).array, array)


def keep(folder: Path, content: bytes) -> Callable[[], np.ndarray]:
    one = record(predictions="kept")
    case = one.cases[0].case
    (folder / "kept").mkdir()
    (folder / "kept" / f"{case}.npz").write_bytes(content)
    return lambda: kept_prediction(folder, one, case)


@pytest.mark.parametrize(("method", "name"), PACKINGS)
def test_a_kept_prediction_of_a_packing_without_a_bound(
    tmp_path: Path, method: int, name: str
) -> None:
    read = keep(tmp_path, zipped("label.npy", npy(), method))
    with pytest.raises(DataError, match=rf"cannot be read \(it is packed with {name}, which may"):
        read()


def test_a_kept_prediction_whose_header_never_ends(tmp_path: Path) -> None:
    content = b"\x93NUMPY\x02\0" + struct.pack("<I", BOMB) + bytes(BOMB)
    read = keep(tmp_path, zipped("label.npy", content, said=20_000))

    def refused() -> None:
        with pytest.raises(DataError, match="cannot be read"):
            read()

    assert peak(refused) < LITTLE


def test_a_kept_prediction_whose_header_is_cut_off(tmp_path: Path) -> None:
    head = b"{'descr': '|u1', 'shape': (\n"
    content = b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head
    with pytest.raises(DataError, match="cannot be read"):
        keep(tmp_path, zipped("label.npy", content))()
    (tmp_path / "a.npz").write_bytes(zipped("image.npy", content))
    with pytest.raises(DataError, match="is no NumPy array"):
        npz_shape(tmp_path / "a.npz", "a", "image")


def test_a_kept_prediction_is_the_member_that_was_looked_at(tmp_path: Path) -> None:
    """NumPy would take "label" before "label.npy"."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("label.npy", npy())
        archive.writestr("label", npy(VOXELS + 1))
    np.testing.assert_array_equal(keep(tmp_path, buffer.getvalue())(), VOXELS)


def hdf5(path: Path, content: bytes, *, filters: int = 1, mask: int = 0) -> Path:
    """One chunk of 16 x 16 x 16 bytes, stored as `content`, behind so many deflate filters."""
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk((16, 16, 16))
    for _ in range(filters):
        made.set_deflate(4)
    with h5py.File(path, "w") as file:
        space = h5py.h5s.create_simple((16, 16, 16))
        entry = h5py.h5d.create(file.id, b"image", h5py.h5t.STD_U8LE, space, made)
        entry.write_direct_chunk((0, 0, 0), content, mask)
    return path


ONCE = zlib.compress(VOXELS.tobytes())
NOT_WHOLE = "'image' is damaged and does not unpack to chunks of 4096 bytes; get it again"


@pytest.mark.parametrize(
    ("content", "more", "said"),
    [
        (zlib.compress(ONCE), {"filters": 2}, "'image' is packed more than once; save it with"),
        (zlib.compress(bytes(2 << 20)), {}, NOT_WHOLE),
        (zlib.compress(bytes(4097)), {}, NOT_WHOLE),
        (zlib.compress(bytes(4095)), {}, NOT_WHOLE),
        (ONCE + bytes(5000), {}, NOT_WHOLE),
        (ONCE[:-1], {}, NOT_WHOLE),
        (bytes(4097), {"mask": 1}, NOT_WHOLE),
        (bytes(4095), {"mask": 1}, NOT_WHOLE),
        (b"no zlib stream", {}, "'image' is damaged and does not unpack"),
    ],
    ids=["twice", "bomb", "longer", "shorter", "padded", "cut", "long raw", "short raw", "noise"],
)
def test_a_chunk_of_hdf5_that_is_not_of_its_size(
    tmp_path: Path, content: bytes, more: dict[str, int], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        read_image(hdf5(tmp_path / "a.h5", content, **more))


def test_a_chunk_of_hdf5_as_it_should_be(tmp_path: Path) -> None:
    for content, mask in ((ONCE, 0), (VOXELS.tobytes(), 1)):
        read = read_image(hdf5(tmp_path / "a.h5", content, mask=mask))
        np.testing.assert_array_equal(read.array, VOXELS)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"chunks": (3, 4, 5)},
        {"chunks": (3, 4, 5), "fletcher32": True},
        {"compression": "gzip"},
        {"compression": "gzip", "shuffle": True, "fletcher32": True, "chunks": (3, 4, 5)},
        {"compression": "lzf", "shuffle": True, "chunks": (9, 9, 9)},
        {"compression": "gzip", "compression_opts": 0, "maxshape": (None, None, None)},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["u1", "<f4", ">i2", "?"])
def test_every_packing_of_h5py_is_read(tmp_path: Path, more: dict[str, Any], kind: str) -> None:
    array = VOXELS.astype(kind)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("image", data=array, **more)
        file.create_dataset("noise", data=np.random.default_rng(0).random((9, 9, 9)), **more)
        file.create_dataset("sparse", (16, 16, 16), "u1", **more)[2:5, 2:5, 2:5] = 7
    np.testing.assert_array_equal(read_image(tmp_path / "a.h5").array, array)
    assert read_image(tmp_path / "a.h5", key="noise").array.all()
    assert read_image(tmp_path / "a.h5", key="sparse").array.sum() == 7 * 27


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"scaleoffset": 0}, "'image' uses the HDF5 filter scaleoffset; save it with gzip"),
        (
            {"compression": "lzf", "chunks": (128, 128, 128)},
            "'image' is stored in LZF chunks of 2097152 bytes; save it with gzip",
        ),
        ({"chunks": (1, 1, 1)}, "'image' is stored in 2097152 chunks; save it in larger ones"),
    ],
)
def test_a_packing_of_hdf5_that_is_not_read(
    tmp_path: Path, more: dict[str, Any], said: str
) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("image", (128, 128, 128), "u1", **more)
    with pytest.raises(DataError, match=said):
        read_image(tmp_path / "a.h5")
