"""`executor.OPTION=VALUE`: what a number, a time, a size or a switch may be, for any executor."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from bench.errors import RequestError

UNITS = {"m": 1, "h": 60, "d": 24 * 60}
CLOCK = re.compile(r"(?:(\d{1,6})-)?(\d{1,6}):(\d\d)(?::(\d\d))?")
MOST = 10**9
"""Of anything: more than any cluster has, and still a number that can be counted with."""


def above_zero(given: Mapping[str, Any], name: str, *, whole: bool = False) -> float | None:
    """A number, or None for "auto" and where nobody says."""
    value = given.get(name)
    if value in ("auto", None):
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise RequestError(f"executor.{name}={value}: a number above 0, or auto")
    _check_size(name, value)
    if whole and value != int(value):
        raise RequestError(f"executor.{name}={value}: a whole number, or auto")
    return float(value)


def whole_number(given: Mapping[str, Any], name: str, *, least: int = 1) -> int:
    value = given[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise RequestError(f"executor.{name}={value}: a whole number, {least} or more")
    _check_size(name, value)
    return value


def _check_size(name: str, value: float) -> None:
    if value > MOST:
        raise RequestError(f"executor.{name}={value}: at most {MOST}")


def switch(given: Mapping[str, Any], name: str) -> bool:
    if not isinstance(given[name], bool):
        raise RequestError(f"executor.{name}={given[name]}: true or false")
    return bool(given[name])


def gigabytes(value: Any) -> float:
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*(?:G|GB)?", str(value))
    if not found or float(found[1]) <= 0:
        raise RequestError(f"executor.mem={value}: gigabytes of a job, as 16 or 16G")
    return float(found[1])


def minutes(value: Any) -> int:
    """`90`, `90m`, `4h`, `2d`, and Slurm's own `[days-]hours:minutes[:seconds]`."""
    text = str(value)
    found = re.fullmatch(r"(\d{1,9})([mhd]?)", text)
    if found and int(found[1]) > 0:
        return int(found[1]) * UNITS[found[2] or "m"]
    clock = CLOCK.fullmatch(text)
    if clock:
        day, hour, minute, second = (int(part or 0) for part in clock.groups())
        total = (day * 24 + hour) * 60 + minute + (second > 0)
        if total:
            return total
    raise RequestError(f"executor.time={value}: minutes, or as 4h, 2d, 1-12:00:00; or auto")
