"""Every cell of the committed board that is worth a second look is explained, and no other."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
Doubt = tuple[str, str, str, str]


def doubts() -> dict[Doubt, list[str]]:
    """(dataset, budget, row, rule) -> shots."""
    found: dict[Doubt, list[str]] = defaultdict(list)
    path = ROOT / "results" / "tables" / "doubts.csv"
    for line in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
        key = (line["dataset"], line["budget"], line["row"], line["doubt"])
        if line["shots"] not in found[key]:
            found[key].append(line["shots"])
    return dict(found)


def explained(page: str) -> dict[Doubt, list[str]]:
    """Tables below headings "### DATASET · BUDGET": | `row` | rule | shots | why |"""
    found: dict[Doubt, list[str]] = {}
    place = ("", "")
    for line in page.splitlines():
        if heading := re.fullmatch(r"### (.+) · (\S+)", line):
            place = (heading[1], heading[2])
        if entry := re.fullmatch(r"\| `(.+?)` \| (.+?) \| (.+?) \| (.{20,}) \|", line):
            assert (*place, entry[1], entry[2]) not in found, line
            found[*place, entry[1], entry[2]] = entry[3].split(", ")
    return found


def test_every_doubt_is_explained_and_nothing_else_is() -> None:
    page = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    assert explained(page) == doubts()
