"""`executor.KEY=VALUE` of executor=slurm, checked and typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import RequestError
from bench.executors.options import above_zero, gigabytes, minutes, switch, whole_number


@dataclass(frozen=True)
class SlurmOptions:
    """minutes  limit of a job; None: from what its units are expected to take
    extra    further flags of sbatch
    bundle   seconds of expected work in a job; grace: before its end, to save
    timeout  seconds for one unit; None: from its budget
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
    timeout: float | None
    wait: bool


def read_options(given: Mapping[str, Any]) -> SlurmOptions:
    read = SlurmOptions(
        partition=None if given["partition"] is None else str(given["partition"]),
        gpus=None if given["gpus"] == "auto" else whole_number(given, "gpus", least=0),
        cpus=whole_number(given, "cpus"),
        mem_gb=None if given["mem"] is None else gigabytes(given["mem"]),
        minutes=None if given["time"] in ("auto", None) else minutes(given["time"]),
        parallel=whole_number(given, "parallel"),
        setup=_lines(given["setup"]),
        extra=_flags(given["sbatch"]),
        bundle=60.0 * whole_number(given, "bundle", least=0),
        grace=whole_number(given, "grace"),
        timeout=above_zero(given, "timeout"),
        wait=switch(given, "wait"),
    )
    if read.minutes is not None and read.grace >= 60 * read.minutes:
        raise RequestError(
            f"executor.grace={read.grace}: the job's whole time is {60 * read.minutes} s; "
            "give it more (executor.time) or ask later"
        )
    return read


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
