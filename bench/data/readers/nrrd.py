""".nrrd (header and voxels in one file) and .nhdr (voxels beside it)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from bench.data.readers.claim import beside, claimed_bytes
from bench.data.readers.geometry import affine_of_xyz, numbers, wholes
from bench.data.readers.header import Header, read_voxels
from bench.data.readers.image import RawImage
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
# World axes that run against LPS; of a space that is none of these nothing is known, as in ITK.
_TURNED = {
    "right-anterior-superior": (-1.0, -1.0, 1.0),
    "ras": (-1.0, -1.0, 1.0),
    "left-anterior-superior": (1.0, -1.0, 1.0),
    "las": (1.0, -1.0, 1.0),
}
_VECTOR = re.compile(r"\(([^()]*)\)")


def read_nrrd(path: Path, case: str) -> RawImage:
    return read_voxels(read_nrrd_header(path, case), path, case)


def read_nrrd_header(path: Path, case: str) -> Header:
    fields, length = _fields(path, case)
    for key in ("type", "sizes"):
        if key not in fields:
            raise DataError(case, f"{path} is no whole NRRD header: '{key}' is missing")
    shape = wholes(fields["sizes"], "sizes", path, case)[::-1]
    if not shape or min(shape) < 1:
        raise DataError(case, f"{path} has an empty size '{fields['sizes'][:80]}'")
    if fields.get("dimension", str(len(shape))) != str(len(shape)):
        raise DataError(case, f"{path} cannot be read: its dimension is not that of its sizes")
    dtype = _dtype(fields, path, case)
    order = fields.get("endian", "").lower()
    claimed_bytes(path, case, shape, dtype.itemsize)
    data, offset = path, length
    name = fields.get("data file", fields.get("datafile"))
    if name is not None:
        if name.startswith("LIST") or "%" in name:
            raise DataError(case, f"{path} spreads its voxels over several files; save it as one")
        data, offset = beside(path, name, case), 0
    for skip in ("line skip", "lineskip", "byte skip", "byteskip"):
        if fields.get(skip, "0") != "0":
            raise DataError(case, f"{path}: '{skip}' is not read; save it without one")
    encoding = fields.get("encoding", "").lower()
    if encoding not in ("raw", "gzip", "gz"):
        raise DataError(case, f"{path}: its encoding is not read; save it raw or gzip")
    if dtype.itemsize > 1 and order not in ("little", "big"):
        raise DataError(case, f"{path} does not say its 'endian', little or big; save it anew")
    return Header(
        shape=shape,
        dtype=dtype.newbyteorder(">" if order == "big" else "<"),
        data=data,
        offset=offset,
        compressed=encoding != "raw",
        says_spacing="spacings" in fields or "space directions" in fields,
        affine=_affine(fields, path, case) if len(shape) == 3 else None,
        exact=data != path,
    )


def _dtype(fields: dict[str, str], path: Path, case: str) -> np.dtype:
    kind = fields["type"].lower().removesuffix("_t")
    kind = _TYPES.get(kind, kind)
    if kind not in _TYPES.values():
        raise DataError(case, f"{path}: its type is not read; save it as short or float, say")
    return np.dtype(kind)


def _affine(fields: dict[str, str], path: Path, case: str) -> np.ndarray:
    """Vectors of `space directions`, or the lengths of `spacings`."""
    turn = np.array(_TURNED.get(fields.get("space", "").lower(), (1.0, 1.0, 1.0)))
    origin, spacing, direction = np.zeros(3), np.ones(3), np.eye(3)
    if "space origin" in fields:
        [origin] = _vectors(fields["space origin"], 1, "space origin", path, case) * turn
    if "space directions" in fields:
        vectors = _vectors(fields["space directions"], 3, "space directions", path, case) * turn
        spacing = np.linalg.norm(vectors, axis=1)
        if (spacing > 0).all():
            direction = (vectors / spacing[:, None]).T
    elif "spacings" in fields:
        spacing = numbers(fields["spacings"], 3, "spacings", path, case)
    if not (spacing > 0).all():
        raise DataError(case, f"{path} has a spacing that is not above zero; mend its header")
    return affine_of_xyz(origin, spacing, direction)


def _vectors(text: str, count: int, what: str, path: Path, case: str) -> np.ndarray:
    """`(1,0,0) (0,1,0) (0,0,1)` -> (count, 3)."""
    found = _VECTOR.findall(text)
    if len(found) != count or _VECTOR.sub("", text).strip():
        raise DataError(
            case, f"{path}: its {what} should be {count} vectors, each in brackets; mend its header"
        )
    return np.array([numbers(part.replace(",", " "), 3, what, path, case) for part in found])


def _fields(path: Path, case: str) -> tuple[dict[str, str], int]:
    """field -> value, and where the voxels of an attached header start (after an empty line)."""
    with path.open("rb") as file:
        start = file.read(_HEADER_LIMIT)
    if not start.startswith(b"NRRD"):
        raise DataError(case, f"{path} is no NRRD file")
    fields: dict[str, str] = {}
    at = 0
    for number, line in enumerate(start.splitlines(keepends=True), start=1):
        at += len(line)
        text = line.decode("latin-1").strip()
        if not text:
            return fields, at
        key, colon, value = text.partition(":")
        # "key:=value" are free remarks; "#" starts a comment.
        if colon and not text.startswith("#") and not value.startswith("="):
            key = key.strip().lower()
            if key in fields:
                raise DataError(
                    case, f"{path}: line {number} of its header repeats a key; remove one"
                )
            fields[key] = value.strip()
    return fields, at
