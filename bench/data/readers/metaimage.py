""".mhd with its .raw or .zraw, and .mha."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

from bench.data.readers.image import RawImage
from bench.data.readers.itk import read_itk
from bench.data.readers.stored import check_deflated, check_plain
from bench.errors import DataError

_HEADER_LIMIT = 64 * 1024
# MetaIO's LONG is 4 bytes on every machine.
_BYTES = {
    "MET_CHAR": 1,
    "MET_UCHAR": 1,
    "MET_SHORT": 2,
    "MET_USHORT": 2,
    "MET_INT": 4,
    "MET_UINT": 4,
    "MET_LONG": 4,
    "MET_ULONG": 4,
    "MET_LONG_LONG": 8,
    "MET_ULONG_LONG": 8,
    "MET_FLOAT": 4,
    "MET_DOUBLE": 8,
}


@dataclass(frozen=True)
class MetaHeader:
    """What the text part says.

    shape   last file axis first: (D, H, W)      size    bytes of all voxels, unpacked
    data    the file that holds them             offset  where they start in it
    packed  bytes of them there, where the header says it and they are compressed
    """

    shape: tuple[int, ...]
    size: int
    data: Path
    offset: int
    compressed: bool
    packed: int | None
    says_spacing: bool


def read_metaimage(path: Path, case: str) -> RawImage:
    header = read_meta_header(path, case)
    if not header.data.is_file():
        raise DataError(case, f"{header.data} is missing; {path.name} keeps its voxels there")
    if header.packed is not None:
        # MetaIO unpacks as many bytes as the header says, and keeps quiet where they are too few.
        check_plain(header.data, case, offset=header.offset, expected=header.packed, exact=True)
    check = check_deflated if header.compressed else check_plain
    check(header.data, case, offset=header.offset, expected=header.size, exact=True)
    return read_itk(path, case, says_spacing=header.says_spacing)


def read_meta_header(path: Path, case: str) -> MetaHeader:
    """The header alone; raises DataError where a key is missing or is no number."""
    fields, length = _fields(path, case)

    def need(key: str) -> str:
        if key not in fields:
            raise DataError(case, f"{path} is no MetaImage header: {key} is missing")
        return fields[key]

    kind = need("ElementType")
    if kind not in _BYTES:
        raise DataError(case, f"{path}: ElementType {kind} is not read")
    try:
        shape = tuple(int(number) for number in reversed(need("DimSize").split()))
        channels = int(fields.get("ElementNumberOfChannels", "1"))
        skipped = int(fields.get("HeaderSize", "0"))
        packed = int(fields.get("CompressedDataSize", "0"))
    except ValueError as error:
        raise DataError(case, f"{path}: a size in it is no number") from error
    if not shape or min(*shape, channels) < 1:
        raise DataError(case, f"{path} has an empty DimSize {fields['DimSize']}")
    if need("NDims") != str(len(shape)):
        raise DataError(case, f"{path}: NDims {fields['NDims']} is not DimSize {fields['DimSize']}")
    if fields.get("BinaryData", "True").lower() != "true":
        raise DataError(case, f"{path} keeps its voxels as text; save it as binary")
    if skipped:
        raise DataError(case, f"{path}: HeaderSize {skipped} is not read; save it without one")
    name = need("ElementDataFile")
    if name == "LIST" or "%" in name:
        raise DataError(case, f"{path} spreads its voxels over several files; save it as one")
    local = name in ("LOCAL", "Local", "local")
    compressed = fields.get("CompressedData", "False").lower() == "true"
    if compressed and local and not packed:
        # ITK would read such a file without an error, with wrong voxels.
        raise DataError(case, f"{path} does not say its CompressedDataSize; save it anew")
    return MetaHeader(
        shape=shape,
        size=prod(shape) * channels * _BYTES[kind],
        data=path if local else path.parent / name,
        offset=length if local else 0,
        compressed=compressed,
        packed=packed if compressed and packed else None,
        says_spacing="ElementSpacing" in fields or "ElementSize" in fields,
    )


def _fields(path: Path, case: str) -> tuple[dict[str, str], int]:
    """key -> value, and where the voxels start behind ElementDataFile, which is the last key."""
    with path.open("rb") as file:
        start = file.read(_HEADER_LIMIT)
    fields: dict[str, str] = {}
    at = 0
    for line in start.splitlines(keepends=True):
        at += len(line)
        key, equals, value = line.decode("latin-1").partition("=")
        if not equals:
            break
        fields[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            return fields, at
    raise DataError(case, f"{path} is no MetaImage header: ElementDataFile is missing")
