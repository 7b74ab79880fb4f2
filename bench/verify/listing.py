"""What was and was not looked at: a few lines for people, a row a record for programs."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from io import StringIO
from typing import Any

from bench.board.text import plain, plural
from bench.verify.finding import CHECKS, Looked
from bench.verify.verifying import Verified


def lines(found: Verified) -> Iterator[str]:
    """A line for records of one dataset of which the same was looked at, with the same outcome."""
    groups: Counter[tuple[str, ...]] = Counter()
    for one in found.looked:
        groups[(_dataset(one), *(_word(one, check) for check in CHECKS))] += 1
    for (dataset, *words), count in sorted(groups.items()):
        by_word: dict[str, list[str]] = defaultdict(list)
        for check, word in zip(CHECKS, words, strict=True):
            by_word[word].append(check)
        told = [
            f"{word}: {', '.join(checks)}"
            for word, checks in sorted(by_word.items(), key=lambda item: _order(item[0]))
        ]
        yield f"{plain(dataset)}, {plural(count, 'record')}: {'; '.join(told)}"


def reasons(found: Verified) -> Iterator[str]:
    """Why a check did not look, and at how many records."""
    counts = Counter(
        (finding.check, finding.text) for one in found.looked for finding in one.of("not checked")
    )
    order = list(CHECKS)
    for (check, text), count in sorted(
        counts.items(), key=lambda item: (order.index(item[0][0]), -item[1], item[0][1])
    ):
        yield f"{check} of {plural(count, 'record')}: {plain(text)}"


def rows(found: Verified) -> list[dict[str, Any]]:
    """For each record its file, key, dataset and method, each check's outcome, what was found."""
    return [
        {
            "file": str(one.path),
            **_names(one),
            **{check: _state(one, check) for check in CHECKS},
            "findings": [f"{finding.check}: {plain(finding.text)}" for finding in one.findings],
        }
        for one in found.looked
    ]


def as_csv(found: Verified) -> str:
    text = StringIO()
    names = ["file", "record", "dataset", "method", *CHECKS, "findings"]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in rows(found):
        writer.writerow({**row, "findings": " | ".join(row["findings"])})
    return text.getvalue()


def _names(one: Looked) -> dict[str, str]:
    if one.record is None:
        return {"record": "", "dataset": "", "method": ""}
    request = one.record.request
    names = {"record": one.record.key, "dataset": request.dataset, "method": request.method}
    return {name: plain(value) for name, value in names.items()}


def _dataset(one: Looked) -> str:
    return "unreadable" if one.record is None else one.record.request.dataset


def _state(one: Looked, check: str) -> str:
    """Of a file that is no record nothing but that is known."""
    if one.record is None and check != "place":
        return "not checked"
    return one.state(check)


def _word(one: Looked, check: str) -> str:
    state = _state(one, check)
    return "PROBLEM" if state == "problem" else state


def _order(word: str) -> int:
    return ["PROBLEM", "fine", "marked", "not checked"].index(word)
