"""Every record of a folder, looked at by all that this repository knows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.board.text import plain, plural
from bench.errors import RequestError
from bench.protocol import VERSION
from bench.record.agreement import disagreements
from bench.record.schema import Record
from bench.record.store import read_record, record_files, record_path
from bench.registry import ROOT, Registry
from bench.verify.account import account, isolation
from bench.verify.arithmetic import derived, strange_cases, strange_failure, strange_machine
from bench.verify.clock import strange_clock
from bench.verify.committed import History
from bench.verify.finding import Finding, Looked, marked, not_checked, problems
from bench.verify.origin import origin
from bench.verify.together import together

KEY = re.compile(r"[0-9a-f]{16}")
FAILED = "a failed unit has none"


@dataclass(frozen=True)
class Verified:
    """`looked`: every file of the folder, with what each check said of it."""

    looked: tuple[Looked, ...]

    @property
    def records(self) -> int:
        return sum(one.record is not None for one in self.looked)

    @cached_property
    def refused(self) -> tuple[str, ...]:
        """A line for each problem: a record with one cannot be taken in."""
        return tuple(line for one in self.looked for line in one.refused)

    @cached_property
    def marked(self) -> tuple[str, ...]:
        """How many records are sound, but of earlier code or protocol, or not confined."""
        marks = Counter(
            found.text for one in self.looked if not one.refused for found in one.of("marked")
        )
        return tuple(
            f"{plural(count, 'record')} {plain(mark)}" for mark, count in sorted(marks.items())
        )

    @cached_property
    def keys(self) -> int:
        """How many keys were worked out again."""
        return sum(
            one.record is not None and one.state("key") in ("fine", "problem")
            for one in self.looked
        )


def verify(
    results: Path,
    registry: Registry,
    *,
    keys: Collection[str] = (),
    data: Mapping[str, Any] | None = None,
    history: History | None = None,
) -> Verified:
    """`keys`: datasets whose copies are here: their records' keys are worked out again. `history`:
    the commits that count; without it, those of this repository."""
    history = history or History(ROOT)
    found: list[tuple[Path, Record]] = []
    broken: list[Looked] = []
    for path in record_files(results):
        try:
            found.append((path, read_record(path)))
        except RequestError as error:
            broken.append(Looked(path, None, tuple(problems("place", [str(error)]))))
    others = together(found)
    here = history if history.here else None
    again = None
    if keys:
        from bench.verify.keys import Keys

        again = Keys(registry, data or {})
    looked = list(broken)
    for path, record in found:
        findings = [*others.get(path, ()), *_alone(path, record, results)]
        findings += origin(record, registry, here)
        findings += _key(record, keys, again, findings)
        looked.append(Looked(path, record, tuple(findings)))
    return Verified(tuple(looked))


def _alone(path: Path, record: Record, results: Path) -> Iterator[Finding]:
    """What a record says of itself, and where it lies."""
    yield from problems("place", _place(path, record, results))
    if record.protocol < VERSION:
        yield marked("place", f"of protocol {record.protocol}, now {VERSION}")
    yield from problems("machine", strange_machine(record.machine))
    if record.status == "failed":
        yield from problems("scores", strange_failure(record))
        for check in ("scores", "cases", "clock", "account", "isolation"):
            yield not_checked(check, FAILED)
        return
    yield from problems("scores", [*disagreements(record), *derived(record)])
    yield from problems("cases", strange_cases(record))
    yield from problems("clock", strange_clock(record))
    yield from account(record)
    yield from isolation(record)


def _place(path: Path, record: Record, results: Path) -> Iterator[str]:
    if not KEY.fullmatch(record.key):
        yield f"its key {record.key!r} is no key: 16 hexadecimal digits"
    elif path != record_path(results, record.request, record.key):
        right = record_path(results, record.request, record.key).relative_to(results)
        yield f"by its request and key it belongs at {right}"
    if record.protocol > VERSION:
        yield f"protocol {record.protocol} is newer than this code's {VERSION}"
    for kept in (record.files.predictions, record.files.state, record.files.log):
        if kept is not None and not (results / kept).resolve().is_relative_to(results.resolve()):
            yield f"its file {kept} leaves the results folder"


def _key(
    record: Record, keys: Collection[str], again: Any, findings: list[Finding]
) -> Iterator[Finding]:
    """With the data: only they tell the fingerprint, and so the key."""
    name = record.request.dataset
    if name not in keys or again is None:
        yield not_checked("key", f"keys={name} was not asked for, and only the data tell")
        return
    if any(found.check == "card" and found.state == "not checked" for found in findings):
        yield not_checked("key", "it is not of the method's current source")
        return
    from bench.verify.keys import NotHereError

    try:
        fingerprint, key = again.of(record)
    except NotHereError as missing:
        yield not_checked("key", f"without its data or weights: {missing}")
        return
    except RequestError as error:
        yield from problems("key", [f"its request cannot be made again: {error}"])
        return
    mine = record.data.fingerprint
    if fingerprint != mine:
        told = f"its data have fingerprint {mine[:12]}, here {fingerprint[:12]}"
        yield from problems("key", [told])
    elif key != record.key:
        told = f"its request has the key {key} here: request, split, weights or key were changed"
        yield from problems("key", [told])
