"""CSV as text: quoted by the standard library, ended by a bare newline, floats in six digits."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from functools import lru_cache


def line(*values: object) -> str:
    return lines([values])


def lines(rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


@lru_cache(maxsize=4096)  # names of cases, patients and classes stand in thousands of lines
def field(text: str) -> str:
    """One value, quoted where it has to be."""
    return line(text, "")[:-2]


def number(value: float | None) -> str:
    """Six digits: enough for a score, and the same text on every machine. Empty for None."""
    return "" if value is None else f"{value:.6g}"


def flag(value: bool | None) -> str:
    return "" if value is None else str(value).lower()
