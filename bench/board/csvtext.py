"""CSV as text: quoted by the standard library, ended by a bare newline, floats in six digits."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence


def line(*values: object) -> str:
    return lines([values])


def lines(rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def number(value: float | None) -> str:
    """Six digits: enough for a score, and the same text on every machine. Empty for None."""
    return "" if value is None else f"{value:.6g}"
