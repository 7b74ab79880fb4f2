""".nrrd (header and voxels in one file) and .nhdr (voxels beside it)."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

from bench.data.readers.image import RawImage
from bench.data.readers.itk import read_itk
from bench.data.readers.stored import check_deflated, check_plain
from bench.errors import DataError

_HEADER_LIMIT = 256 * 1024
# Names of the format that NumPy spells otherwise.
_TYPES = {
    "signed char": "int8",
    "uchar": "uint8",
    "unsigned char": "uint8",
    "short": "int16",
    "short int": "int16",
    "signed short": "int16",
    "signed short int": "int16",
    "ushort": "uint16",
    "unsigned short": "uint16",
    "unsigned short int": "uint16",
    "int": "int32",
    "signed int": "int32",
    "uint": "uint32",
    "unsigned int": "uint32",
    "longlong": "int64",
    "long long": "int64",
    "ulonglong": "uint64",
    "unsigned long long": "uint64",
    "float": "float32",
    "double": "float64",
}


def read_nrrd(path: Path, case: str) -> RawImage:
    fields, length = _fields(path, case)
    expected = _size(fields, path, case)
    data, offset = path, length
    name = fields.get("data file", fields.get("datafile"))
    if name is not None:
        if name.startswith("LIST") or "%" in name:
            raise DataError(case, f"{path} spreads its voxels over several files; save it as one")
        data, offset = path.parent / name, 0
        if not data.is_file():
            raise DataError(case, f"{data} is missing; {path.name} keeps its voxels there")
    for skip in ("line skip", "lineskip", "byte skip", "byteskip"):
        if fields.get(skip, "0") != "0":
            raise DataError(case, f"{path}: '{skip}' is not read; save it without one")
    encoding = fields.get("encoding", "").lower()
    if encoding == "raw":
        check_plain(data, case, offset=offset, expected=expected, exact=data != path)
    elif encoding in ("gzip", "gz"):
        check_deflated(data, case, offset=offset, expected=expected, exact=True)
    else:
        raise DataError(case, f"{path}: encoding '{encoding}' is not read; save it raw or gzip")
    return read_itk(path, case, says_spacing="spacings" in fields or "space directions" in fields)


def _size(fields: dict[str, str], path: Path, case: str) -> int:
    """Bytes of all voxels, unpacked."""
    for key in ("type", "sizes"):
        if key not in fields:
            raise DataError(case, f"{path} is no whole NRRD header: '{key}' is missing")
    kind = fields["type"].lower().removesuffix("_t")
    kind = _TYPES.get(kind, kind)
    if kind not in _TYPES.values():
        raise DataError(case, f"{path}: type '{fields['type']}' is not read")
    try:
        sizes = [int(number) for number in fields["sizes"].split()]
    except ValueError as error:
        raise DataError(case, f"{path}: sizes '{fields['sizes']}' are no numbers") from error
    if not sizes or min(sizes) < 1:
        raise DataError(case, f"{path} has an empty size '{fields['sizes']}'")
    return prod(sizes) * np.dtype(kind).itemsize


def _fields(path: Path, case: str) -> tuple[dict[str, str], int]:
    """field -> value, and where the voxels of an attached header start (after an empty line)."""
    with path.open("rb") as file:
        start = file.read(_HEADER_LIMIT)
    if not start.startswith(b"NRRD"):
        raise DataError(case, f"{path} is no NRRD file")
    fields: dict[str, str] = {}
    at = 0
    for line in start.splitlines(keepends=True):
        at += len(line)
        text = line.decode("latin-1").strip()
        if not text:
            return fields, at
        key, colon, value = text.partition(":")
        # "key:=value" are free remarks; "#" starts a comment.
        if colon and not text.startswith("#") and not value.startswith("="):
            fields[key.strip().lower()] = value.strip()
    return fields, at
