"""Records -> units. The board's only look at the disk."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, cast

from bench.board.shortening import shared, unit_of
from bench.board.spreading import spread
from bench.board.units import Unit
from bench.errors import RequestError
from bench.record.agreement import read_checked
from bench.record.schema import Record
from bench.record.store import record_files

PART = 500
"""Records that a process reads at a time."""


def read_units(results: Path, seen: Callable[[Record], None] | None = None) -> list[Unit]:
    """All records, checked; the order is that of the keys, whatever the files are called. `seen` is
    shown each record while it is at hand."""
    collecting = gc.isenabled()
    gc.disable()  # records hold no cycles, and looking for some takes a third of the time
    try:
        units = _distinct(_read(record_files(results), seen))
    finally:
        if collecting:
            gc.enable()
    return units


Found = tuple[Path, Unit]
T = TypeVar("T")


def _distinct(found: Iterable[Found]) -> list[Unit]:
    """In the order of their keys; two of one key are an error."""
    units: dict[str, Found] = {}
    for path, unit in found:
        if unit.key in units:
            raise RequestError(
                f"records {units[unit.key][0]} and {path} have the same key {unit.key}; delete one"
            )
        units[unit.key] = (path, unit)
    return [units[key][1] for key in sorted(units)]


def _read(files: Sequence[Path], seen: Callable[[Record], None] | None) -> Iterator[Found]:
    if seen is not None:  # what it keeps must be kept here
        yield from _part(files, seen)
        return
    parts = [files[start : start + PART] for start in range(0, len(files), PART)]
    known: dict[object, object] = {}
    for part in spread(_part, parts, records=len(files)):
        yield from _settled(part, known)


def _part(files: Sequence[Path], seen: Callable[[Record], None] | None = None) -> list[Found]:
    known: dict[object, object] = {}
    found = []
    for path in files:
        record = read_checked(path)
        found.append((path, unit_of(record, known)))
        if seen is not None:
            seen(record)
    return found


def _settled(part: Sequence[Found], known: dict[object, object]) -> Iterator[Found]:
    """With the tables, machines and words that the parts before it named. Units of one part share
    theirs already, so each is looked for once."""
    found: dict[int, object] = {}

    def ours(value: T) -> T:
        if id(value) not in found:
            found[id(value)] = shared(value, known)
        return cast(T, found[id(value)])

    for path, unit in part:
        yield (
            path,
            replace(
                unit,
                table=ours(unit.table),
                variant=ours(unit.variant),
                machine=ours(unit.machine),
                patients=ours(unit.patients),
                words=ours(unit.words),
            ),
        )
