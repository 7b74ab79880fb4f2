"""Numbers of a text header, and the affine that they make.

What stands there instead is not repeated: a reason may go into a record, a header hold any text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.data.readers.image import from_lps, from_xyz
from bench.errors import DataError

_NUMBER = re.compile(r"[-+]?(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,4})?")
_WHOLE = re.compile(r"[0-9]{1,18}")


def wholes(text: str, what: str, path: Path, case: str) -> tuple[int, ...]:
    """`9 8 5`: sizes, which are no larger than any file."""
    words = text.split()
    if not all(map(_WHOLE.fullmatch, words)):
        raise DataError(case, f"{path}: its {what} should be whole numbers; mend its header")
    return tuple(map(int, words))


def numbers(text: str, count: int, what: str, path: Path, case: str) -> np.ndarray:
    """(count,) float64, finite."""
    words = text.split()
    found = [float(word) for word in words if _NUMBER.fullmatch(word)]
    if len(words) != count or len(found) != count or not np.isfinite(found).all():
        raise DataError(
            case,
            f"{path}: its {what} should be {count} numbers ({len(words)} words); mend its header",
        )
    return np.array(found)


def affine_of_xyz(
    origin: Sequence[float] | np.ndarray, spacing: np.ndarray, direction: np.ndarray
) -> np.ndarray:
    """An image of ITK's conventions: x first, into LPS. direction (3, 3): a column an axis."""
    xyz = np.eye(4)
    xyz[:3, :3] = direction * spacing
    xyz[:3, 3] = origin
    return from_lps(from_xyz(xyz))
