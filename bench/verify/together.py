"""What only several records together tell: keys, fingerprints of copies, draws."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.data.splits import parse_shots
from bench.errors import RequestError
from bench.record.schema import Record
from bench.verify.finding import Finding, problems


def together(found: Sequence[tuple[Path, Record]]) -> dict[Path, list[Finding]]:
    findings: dict[Path, list[Finding]] = defaultdict(list)
    for check, told in (
        ("place", _keys(found)),
        ("machine", _copies(found)),
        ("cases", _draws(found)),
    ):
        for path, text in told:
            findings[path] += problems(check, [text])
    return findings


Told = Iterator[tuple[Path, str]]


def _keys(found: Sequence[tuple[Path, Record]]) -> Told:
    keys = Counter(record.key for _, record in found)
    for path, record in found:
        if keys[record.key] > 1:
            yield path, f"{keys[record.key]} records have the key {record.key}"


def _copies(found: Sequence[tuple[Path, Record]]) -> Told:
    """A copy of one name has one fingerprint; most records are taken to be right."""
    prints: dict[str, Counter[str]] = defaultdict(Counter)
    for _, record in found:
        prints[record.data.name][record.data.fingerprint] += 1
    for path, record in found:
        common, count = prints[record.data.name].most_common(1)[0]
        mine = record.data.fingerprint
        if mine != common:
            yield (
                path,
                (
                    f"{record.data.name} has fingerprint {mine[:12]} here and {common[:12]} in "
                    f"{count} other records; another copy needs another name"
                ),
            )


def _draws(found: Sequence[tuple[Path, Record]]) -> Told:
    """The volumes of fewer shots are among those of more, in one draw of one copy; and one draw and
    number of shots is one choice of volumes, whatever the method."""
    draws: dict[tuple[str, ...], list[tuple[Path, Record]]] = defaultdict(list)
    for path, record in found:
        if _counts_patients(record.request.shots):
            data = record.data
            place = (data.name, data.fingerprint, data.split, data.split_sha256)
            draws[(*place, record.request.draw)].append((path, record))
    for (*_, draw), records in draws.items():
        choices = Counter(frozenset(record.data.support) for _, record in records)
        # That with which most of the others agree, and of those the largest.
        whole = max(choices, key=lambda one: (_agreeing(one, choices), len(one), sorted(one)))
        for path, record in records:
            mine = frozenset(record.data.support)
            if not _nested(mine, whole):
                yield (
                    path,
                    f"its support of {len(mine)} is not nested with the {len(whole)} volumes of "
                    f"other records of draw {draw}",
                )


def _nested(one: frozenset[str], other: frozenset[str]) -> bool:
    return one <= other or other <= one


def _agreeing(one: frozenset[str], choices: Counter[frozenset[str]]) -> int:
    return sum(count for other, count in choices.items() if _nested(one, other))


def _counts_patients(shots: str) -> bool:
    try:
        return parse_shots(shots).unit in ("patients", "percent")
    except RequestError:
        return False
