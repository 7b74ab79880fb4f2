"""`executor.KEY=VALUE` of executor=slurm, checked and typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import RequestError

UNITS = {"m": 1, "h": 60, "d": 24 * 60}
CLOCK = re.compile(r"(?:(\d+)-)?(\d+):(\d\d)(?::(\d\d))?")


@dataclass(frozen=True)
class SlurmOptions:
    """minutes  limit of a job; None: from what its units are expected to take
    extra    further flags of sbatch
    bundle   seconds of expected work in a job; grace: before its end, to save
    """

    partition: str | None
    gpus: int | None
    cpus: int
    mem_gb: float | None
    minutes: int | None
    parallel: int
    setup: tuple[str, ...]
    extra: Mapping[str, Any]
    bundle: float
    grace: int
    timeout: float | str
    wait: bool


def read_options(given: Mapping[str, Any]) -> SlurmOptions:
    read = SlurmOptions(
        partition=None if given["partition"] is None else str(given["partition"]),
        gpus=None if given["gpus"] == "auto" else _whole(given, "gpus", least=0),
        cpus=_whole(given, "cpus"),
        mem_gb=None if given["mem"] is None else _gigabytes(given["mem"]),
        minutes=None if given["time"] in ("auto", None) else _minutes(given["time"]),
        parallel=_whole(given, "parallel"),
        setup=_lines(given["setup"]),
        extra=_flags(given["sbatch"]),
        bundle=60.0 * _whole(given, "bundle", least=0),
        grace=_whole(given, "grace"),
        timeout=given["timeout"],
        wait=_switch(given, "wait"),
    )
    if read.minutes is not None and read.grace >= 60 * read.minutes:
        raise RequestError(
            f"executor.grace={read.grace}: the job's whole time is {60 * read.minutes} s; "
            "give it more (executor.time) or ask later"
        )
    return read


def _whole(given: Mapping[str, Any], name: str, *, least: int = 1) -> int:
    value = given[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise RequestError(f"executor.{name}={value}: a whole number, {least} or more")
    return value


def _switch(given: Mapping[str, Any], name: str) -> bool:
    if not isinstance(given[name], bool):
        raise RequestError(f"executor.{name}={given[name]}: true or false")
    return bool(given[name])


def _gigabytes(value: Any) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:G|GB)?", str(value))
    if not found or float(found[1]) <= 0:
        raise RequestError(f"executor.mem={value}: gigabytes of a job, as 16 or 16G")
    return float(found[1])


def _minutes(value: Any) -> int:
    """`90`, `90m`, `4h`, `2d`, and Slurm's own `[days-]hours:minutes[:seconds]`."""
    text = str(value)
    found = re.fullmatch(r"(\d+)([mhd]?)", text)
    if found and int(found[1]) > 0:
        return int(found[1]) * UNITS[found[2] or "m"]
    clock = CLOCK.fullmatch(text)
    if clock:
        days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        total = (days * 24 + hours) * 60 + minutes + (seconds > 0)
        if total:
            return total
    raise RequestError(f"executor.time={value}: minutes, or as 4h, 2d, 1-12:00:00; or auto")


def _lines(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(line) for line in (value if isinstance(value, list) else [value]))


def _flags(value: Any) -> dict[str, Any]:
    """ "account=lab exclusive" -> {"account": "lab", "exclusive": True}"""
    flags: dict[str, Any] = {}
    for word in shlex.split("" if value is None else str(value)):
        name, equals, text = word.lstrip("-").partition("=")
        if not re.fullmatch(r"[a-z][a-z-]*", name):
            raise RequestError(f'executor.sbatch: {word!r} is not name=value; as "account=lab"')
        flags[name] = text if equals else True
    return flags
