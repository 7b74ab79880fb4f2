"""Headers that this suite reads by itself, held against ITK's reading of the same file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.data.readers import read_image
from bench.errors import DataError

VOXELS = np.random.default_rng(3).integers(0, 200, (3, 4, 5))
LETTERS = st.sampled_from(["1", "0.5", "-0.25", "1e-1", "2.0e+0", "-3", ".75", "12.125"])


def itk(path: Path) -> tuple[np.ndarray, tuple[float, ...], np.ndarray]:
    """Voxels, spacing (z, y, x), and the affine from (z, y, x) into RAS, of corners as ITK says."""
    image = sitk.ReadImage(str(path))
    corners = [image.TransformIndexToPhysicalPoint(p) for p in np.eye(4, 3, -1, dtype=int).tolist()]
    origin, x, y, z = (np.array(p) * (-1, -1, 1) for p in corners)
    affine = np.eye(4)
    affine[:3] = np.stack([z - origin, y - origin, x - origin, origin], axis=1)
    return sitk.GetArrayFromImage(image), image.GetSpacing()[::-1], affine


def same(path: Path) -> None:
    voxels, spacing, affine = itk(path)
    read = read_image(path)
    assert read.array.dtype == voxels.dtype
    np.testing.assert_array_equal(read.array, voxels)
    assert read.spacing == pytest.approx(spacing, rel=1e-12)
    assert read.affine is not None
    np.testing.assert_allclose(read.affine, affine, atol=1e-9)


def nrrd(path: Path, fields: str, *, dtype: str = "<i2") -> Path:
    kind = {"i": "int", "u": "uint", "f": "float"}[dtype[1]]
    names = {"float4": "float", "float8": "double"}
    type_name = f"{kind}{8 * int(dtype[2])}" if kind != "float" else names[f"float{dtype[2]}"]
    endian = "" if dtype[2] == "1" else f"endian: {'big' if dtype[0] == '>' else 'little'}\n"
    head = f"NRRD0005\ntype: {type_name}\ndimension: 3\nsizes: 5 4 3\n{endian}encoding: raw\n"
    path.write_bytes(f"{head}{fields}\n".encode() + VOXELS.astype(dtype).tobytes())
    return path


def meta(path: Path, fields: str, *, kind: str = "MET_SHORT", dtype: str = "<i2") -> Path:
    big = "BinaryDataByteOrderMSB = True\n" if dtype[0] == ">" else ""
    head = f"ObjectType = Image\nNDims = 3\nBinaryData = True\n{big}{fields}DimSize = 5 4 3\n"
    text = f"{head}ElementType = {kind}\nElementDataFile = LOCAL\n"
    path.write_bytes(text.encode() + VOXELS.astype(dtype).tobytes())
    return path


TURNED = "space directions: (0,2,0) (-0.5,0,0) (0,0.3,1.5)\nspace origin: (1,-2,3.5)\n"


@pytest.mark.parametrize(
    "fields",
    [
        "space: left-posterior-superior\n" + TURNED,
        "space: right-anterior-superior\n" + TURNED,
        "space: RAS\n" + TURNED,
        "space: left-anterior-superior\n" + TURNED,
        "space: LAS\n" + TURNED,
        "space: LPS\nkinds: domain domain domain\nlabel:=\n" + TURNED,
        "space: scanner-xyz\n" + TURNED,
        "space dimension: 3\n" + TURNED,
        "# a remark\ncolour:=red\nspacings: 0.5 2 3.25\n",
    ],
)
def test_spaces_of_nrrd(tmp_path: Path, fields: str) -> None:
    same(nrrd(tmp_path / "a.nrrd", fields))


@pytest.mark.parametrize("dtype", ["<i1", "<u1", ">i2", "<u2", ">u2", "<i4", ">u4", "<f4", ">f8"])
def test_types_of_nrrd(tmp_path: Path, dtype: str) -> None:
    same(nrrd(tmp_path / "a.nrrd", "space: LPS\n" + TURNED, dtype=dtype))


@pytest.mark.parametrize(
    "fields",
    [
        "ElementSpacing = 0.5 2 3.25\n",
        "ElementSize = 0.5 2 3.25\n",
        "ElementSpacing = 0.5 2 3\nOffset = 1 -2 3.5\n",
        "ElementSpacing = 0.5 2 3\nPosition = 1 -2 3.5\nRotation = 0 1 0 -1 0 0 0 0 1\n",
        "ElementSpacing = 0.5 2 3\nOrigin = 1 -2 3.5\nOrientation = 0 1 0 -1 0 0 0 0 1\n",
        "ElementSpacing = 1 1 2\nTransformMatrix = 0 0 1 1 0 0 0 1 0\nCenterOfRotation = 9 9 9\n",
        "Comment = nothing\nAnatomicalOrientation = RAI\nElementSpacing = 1 1 2\n",
    ],
)
def test_names_of_metaimage(tmp_path: Path, fields: str) -> None:
    same(meta(tmp_path / "a.mha", fields))


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        *(("MET_CHAR", "<i1"), ("MET_UCHAR", "<u1"), ("MET_SHORT", ">i2"), ("MET_USHORT", "<u2")),
        *(("MET_INT", "<i4"), ("MET_UINT", ">u4"), ("MET_FLOAT", ">f4"), ("MET_DOUBLE", "<f8")),
    ],
)
def test_types_of_metaimage(tmp_path: Path, kind: str, dtype: str) -> None:
    same(meta(tmp_path / "a.mha", "ElementSpacing = 1 1 2\n", kind=kind, dtype=dtype))


def test_channels_come_last(tmp_path: Path) -> None:
    fields = "ElementSpacing = 1 1 1\nElementNumberOfChannels = 2\n"
    path = meta(tmp_path / "a.mha", fields, kind="MET_UCHAR", dtype="<u2")  # two bytes a voxel
    array = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert array.shape == (3, 4, 5, 2)
    np.testing.assert_array_equal(read_image(path).array, array)


@settings(
    max_examples=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(numbers=st.lists(LETTERS, min_size=12, max_size=12))
def test_any_spelling_of_a_number(tmp_path: Path, numbers: list[str]) -> None:
    vectors = [f"({','.join(numbers[n : n + 3])})" for n in (0, 3, 6, 9)]
    matrix = np.array(numbers[:9], float).reshape(3, 3)
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    path = nrrd(
        tmp_path / "a.nrrd",
        f"space: LPS\nspace directions: {' '.join(vectors[:3])}\nspace origin: {vectors[3]}\n",
    )
    if abs(np.linalg.det(unit)) < 1e-3:
        return  # ITK takes no singular one; the checks refuse it
    same(path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            "space directions: (1,0,0) (0,1,0)\n",
            "its space directions should be 3 vectors, each in brackets",
        ),
        (
            "space directions: (1,0,0) (0,1,0) none\n",
            "its space directions should be 3 vectors, each in brackets",
        ),
        ("space directions: (1,0,0) (0,1,0) (0,0,nan)\n", "should be 3 numbers"),
        ("space directions: (1,0,0) (0,1,0) (0,0)\n", "should be 3 numbers"),
        ("space directions: (1,0,0) (0,1,0) (0,0,0)\n", "has a spacing that is not above zero"),
        ("spacings: 1 1\n", r"its spacings should be 3 numbers \(2 words\); mend"),
        ("spacings: 1 -1 1\n", "has a spacing that is not above zero"),
        ("spacings: 1 1 1\nspacings: 1 1 2\n", "line 8 of its header repeats a key; remove one"),
        ("dimension: 3\n", "line 7 of its header repeats a key; remove one"),
    ],
)
def test_geometry_that_is_none_in_nrrd(tmp_path: Path, fields: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_image(nrrd(tmp_path / "a.nrrd", fields))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("ElementSpacing = 1 1 0\n", "has a spacing that is not above zero; mend its header"),
        ("ElementSpacing = 1 1\n", r"its ElementSpacing should be 3 numbers \(2 words\)"),
        ("ElementSpacing = 1 1 1\nOffset = inf 0 0\n", "its Offset should be 3 numbers"),
        ("TransformMatrix = 1 0 0\n", r"its TransformMatrix should be 9 numbers \(3 words\)"),
        ("NDims = 3\n", "line 4 of its header repeats a key; remove one"),
    ],
)
def test_geometry_that_is_none_in_metaimage(tmp_path: Path, fields: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_image(meta(tmp_path / "a.mha", fields))


def test_an_order_of_bytes_must_be_said(tmp_path: Path) -> None:
    path = nrrd(tmp_path / "a.nrrd", "")
    path.write_bytes(path.read_bytes().replace(b"endian: little\n", b""))
    with pytest.raises(DataError, match="does not say its 'endian', little or big; save it anew"):
        read_image(path)
