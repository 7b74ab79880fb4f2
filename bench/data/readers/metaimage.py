""".mhd with its .raw or .zraw, and .mha."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.data.readers.claim import beside, claimed_bytes
from bench.data.readers.geometry import affine_of_xyz, numbers, wholes
from bench.data.readers.header import Header, read_voxels
from bench.data.readers.image import RawImage
from bench.errors import DataError

_HEADER_LIMIT = 64 * 1024
# MetaIO's LONG is 4 bytes on every machine.
_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
# The format has several names for one thing; ITK takes the first that is there.
_SPACING = ("ElementSpacing", "ElementSize")
_ORIGIN = ("Offset", "Position", "Origin")
_DIRECTION = ("TransformMatrix", "Rotation", "Orientation")
_BIG_ENDIAN = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")


def read_metaimage(path: Path, case: str) -> RawImage:
    return read_voxels(read_meta_header(path, case), path, case)


def read_meta_header(path: Path, case: str) -> Header:
    """The header alone; raises DataError where a key is missing or is no number."""
    fields, length = _fields(path, case)

    def need(key: str) -> str:
        if key not in fields:
            raise DataError(case, f"{path} is no MetaImage header: {key} is missing")
        return fields[key]

    def whole(key: str, default: str) -> int:
        [number] = wholes(fields.get(key, default), key, path, case) or (0,)
        return number

    kind = need("ElementType")
    if kind not in _TYPES:
        raise DataError(
            case, f"{path}: its ElementType is not read; save it as MET_SHORT or MET_FLOAT, say"
        )
    shape = wholes(need("DimSize"), "DimSize", path, case)[::-1]
    channels = whole("ElementNumberOfChannels", "1")
    packed = whole("CompressedDataSize", "0")
    if not shape or min(*shape, channels) < 1:
        raise DataError(case, f"{path} has an empty DimSize {fields['DimSize'][:80]}")
    if need("NDims") != str(len(shape)):
        raise DataError(
            case, f"{path}: its NDims is not {len(shape)}, as its DimSize has it; mend its header"
        )
    if not _true(fields.get("BinaryData", "True")):
        raise DataError(case, f"{path} keeps its voxels as text; save it as binary")
    if fields.get("HeaderSize", "0") != "0":
        raise DataError(case, f"{path}: its HeaderSize is not read; save it without one")
    name = need("ElementDataFile")
    if name == "LIST" or "%" in name:
        raise DataError(case, f"{path} spreads its voxels over several files; save it as one")
    local = name in ("LOCAL", "Local", "local")
    compressed = _true(fields.get("CompressedData", "False"))
    if compressed and local and not packed:
        # ITK would read such a file without an error, with wrong voxels.
        raise DataError(case, f"{path} does not say its CompressedDataSize; save it anew")
    dtype = np.dtype(_TYPES[kind]).newbyteorder(">" if _is_big(fields) else "<")
    whole_shape = shape if channels == 1 else (*shape, channels)
    claimed_bytes(path, case, whole_shape, dtype.itemsize)
    return Header(
        shape=whole_shape,
        dtype=dtype,
        data=path if local else beside(path, name, case),
        offset=length if local else 0,
        compressed=compressed,
        packed=packed if compressed and packed else None,
        says_spacing=any(key in fields for key in _SPACING),
        affine=_affine(fields, path, case) if len(shape) == 3 else None,
    )


def _affine(fields: dict[str, str], path: Path, case: str) -> np.ndarray:
    def of(keys: tuple[str, ...], count: int, default: str) -> np.ndarray:
        key = next((key for key in keys if key in fields), keys[0])
        return numbers(fields.get(key, default), count, key, path, case)

    spacing = of(_SPACING, 3, "1 1 1")
    if (spacing <= 0).any():
        raise DataError(case, f"{path} has a spacing that is not above zero; mend its header")
    # Its rows are the axes.
    direction = of(_DIRECTION, 9, "1 0 0 0 1 0 0 0 1").reshape(3, 3).T
    return affine_of_xyz(of(_ORIGIN, 3, "0 0 0"), spacing, direction)


def _is_big(fields: dict[str, str]) -> bool:
    return any(_true(fields[key]) for key in _BIG_ENDIAN if key in fields)


def _true(text: str) -> bool:
    return text[:1] in ("T", "t", "1")


def _fields(path: Path, case: str) -> tuple[dict[str, str], int]:
    """key -> value, and where the voxels start behind ElementDataFile, which is the last key."""
    with path.open("rb") as file:
        start = file.read(_HEADER_LIMIT)
    fields: dict[str, str] = {}
    at = 0
    for number, line in enumerate(start.splitlines(keepends=True), start=1):
        at += len(line)
        key, equals, value = (part.strip() for part in line.decode("latin-1").partition("="))
        if not equals:
            break
        if key in fields:
            raise DataError(
                case, f"{path}: line {number} of its header repeats a key; remove one of the two"
            )
        fields[key] = value
        if key == "ElementDataFile":
            return fields, at
    raise DataError(case, f"{path} is no MetaImage header: ElementDataFile is missing")
