"""What may be unpacked of a zip archive: one rule for volumes, downloads and kept predictions.

It lies here because the board, which reads kept predictions, knows no other room that both share.
"""

from __future__ import annotations

import zipfile

_BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NAMES = {9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz"}


def unbounded_packing(member: zipfile.ZipInfo) -> str:
    """The name of a packing that must not be opened; "" for a member that is plain or deflated.

    zipfile unpacks bzip2, LZMA and what came after them as far as they go, and cuts to the size in
    the archive's list afterwards: 424 bytes took 256 MB. Of deflate it unpacks no more than is
    asked for, so ask for a number: `read(n)`, never `read()`.
    """
    if member.compress_type in _BOUNDED:
        return ""
    return _NAMES.get(member.compress_type, f"method {member.compress_type}")
