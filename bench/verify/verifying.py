"""Every record of a folder, looked at by all that this repository knows."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.board.text import plain, plural
from bench.errors import RequestError
from bench.protocol import VERSION
from bench.record.schema import Record
from bench.record.store import read_record, record_files, record_path
from bench.registry import ROOT, Registry, source_hash
from bench.verify.arithmetic import contradictions
from bench.verify.committed import History
from bench.verify.facts import strange_block, strange_budget, strange_data, strange_method

KEY = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Verified:
    """refused  a line for each problem: a record with one cannot be taken in
    marked      how many records are sound, but of earlier code or an earlier protocol
    keys        how many keys were worked out again
    """

    records: int
    refused: tuple[str, ...]
    marked: tuple[str, ...]
    keys: int


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
    here = history.here
    found: list[tuple[Path, Record]] = []
    refused: list[str] = []
    marked: Counter[str] = Counter()
    for path in record_files(results):
        try:
            found.append((path, read_record(path)))
        except RequestError as error:
            refused.append(str(error))
    refused += _together(found)
    again = None
    if keys:
        from bench.verify.keys import Keys

        again = Keys(registry, data or {})
    counted = 0
    for path, record in found:
        name = f"record {path}"
        refused += [f"{name}: {problem}" for problem in _alone(path, record, results)]
        source = _source(record, registry, history if here else None)
        refused += [f"{name}: {problem}" for problem in source.problems]
        marked.update(source.marks)
        if source.current:
            refused += [f"{name}: {problem}" for problem in strange_method(record, registry)]
        if source.current and again is not None and record.request.dataset in keys:
            counted += 1
            refused += [f"{name}: {problem}" for problem in _key(record, again)]
    return Verified(len(found), tuple(map(plain, refused)), _counted(marked), counted)


def _counted(marks: Counter[str]) -> tuple[str, ...]:
    return tuple(
        f"{plural(count, 'record')} {plain(mark)}" for mark, count in sorted(marks.items())
    )


def _together(found: list[tuple[Path, Record]]) -> Iterator[str]:
    """Keys are unique; a copy of one name has one fingerprint."""
    keys = Counter(record.key for _, record in found)
    prints: dict[str, Counter[str]] = defaultdict(Counter)
    for _, record in found:
        prints[record.data.name][record.data.fingerprint] += 1
    for path, record in found:
        if keys[record.key] > 1:
            yield f"record {path}: {keys[record.key]} records have the key {record.key}"
        common, count = prints[record.data.name].most_common(1)[0]
        mine = record.data.fingerprint
        if mine != common:
            yield (
                f"record {path}: {record.data.name} has fingerprint {mine[:12]} here and "
                f"{common[:12]} in {count} other records; another copy needs another name"
            )


def _alone(path: Path, record: Record, results: Path) -> Iterator[str]:
    if not KEY.fullmatch(record.key):
        yield f"its key {record.key!r} is no key: 16 hexadecimal digits"
    elif path != record_path(results, record.request, record.key):
        right = record_path(results, record.request, record.key).relative_to(results)
        yield f"by its request and key it belongs at {right}"
    if record.protocol > VERSION:
        yield f"protocol {record.protocol} is newer than this code's {VERSION}"
    yield from contradictions(record)
    for kept in (record.files.predictions, record.files.state, record.files.log):
        if kept is not None and not (results / kept).resolve().is_relative_to(results.resolve()):
            yield f"its file {kept} leaves the results folder"


@dataclass(frozen=True)
class _Source:
    """current: made by the method's code as it is here."""

    current: bool
    problems: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()


def _source(record: Record, registry: Registry, history: History | None) -> _Source:
    """Without a git history the folders as they are count as committed."""
    request, source = record.request, record.method.source_sha256
    if request.method not in registry.methods:
        return _Source(False, (f"there is no method {request.method} in this repository",))
    if request.dataset not in registry.datasets:
        return _Source(False, (f"there is no dataset {request.dataset} in this repository",))
    found, card = registry.method(request.method)
    problems = [*strange_budget(record), *strange_data(record, registry)]
    problems += strange_block(record, card, registry.dataset(request.dataset)[1])
    current = source_hash(found.folder) == source
    commit = history.commit_of(request.method, source) if history is not None else None
    said = f"method source {source[:12]} of {request.method}"
    if history is None and not current:
        problems.append(f"{said} is not the code here, and there is no git history to look through")
    elif history is not None and commit is None:
        deep = ", as far as this shallow clone goes" if history.shallow else ""
        problems.append(f"{said} is in no commit{deep}: commit the code, then run")
    marks = []
    if not current and not problems:
        marks.append(f"made by an earlier version of {request.method} (commit {str(commit)[:10]})")
    if record.protocol < VERSION:
        marks.append(f"of protocol {record.protocol}, now {VERSION}")
    return _Source(current and not problems, tuple(problems), tuple(marks))


def _key(record: Record, again: Any) -> Iterator[str]:
    try:
        fingerprint, key = again.of(record)
    except RequestError as error:
        yield f"its request cannot be made again: {error}"
        return
    if fingerprint != record.data.fingerprint:
        yield f"its data have fingerprint {record.data.fingerprint[:12]}, here {fingerprint[:12]}"
    elif key != record.key:
        yield f"its request has the key {key} here: request, split, weights or key were changed"
