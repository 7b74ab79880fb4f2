"""The page's first table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.board.cellmarkdown import table as markdown_table
from bench.board.describe import interval_text, weights_text
from bench.board.headline import (
    Headline,
    controls_words,
    group_words,
    headlines,
    memory_of,
    patients_words,
    seconds_of,
)
from bench.board.statistics import TableStatistics
from bench.board.text import bytes_text, markdown

LINES = 40
"""Beyond so many lines nobody reads them in ten seconds."""

READING = """\
**Best** is first; the rows after it were not told apart from it (Wilcoxon's test and one that knows
of draws, both with Holm's correction). Dice is the best one's, in percent, with a 95 % interval.
Seconds are device seconds of one task, pre-training and prediction included, and memory its peak,
both of the best; the cheapest of the group follows where it is another one. "no" under controls:
the best could not be shown to beat what has learnt nothing. "Too few": the corrected test could not
tell even if every patient agreed. "One draw": nothing is said of other labelled patients.
"""


@dataclass(frozen=True)
class FirstLines:
    """Of one table; `units`: how many it has."""

    table: str
    units: int
    lines: list[list[str]]


def first_lines(found: TableStatistics) -> FirstLines:
    lines = [_line(one) for one in headlines([found])]
    return FirstLines(found.table.key.id, len(found.table.units), lines)


def headline_table(tables: Sequence[FirstLines]) -> str:
    """The largest tables alone where there are too many lines."""
    found = [line for table in tables for line in table.lines]
    note = ""
    if len(found) > LINES:
        kept = _largest(tables)
        found, all_of_them = [line for table in kept for line in table.lines], len(found)
        note = f"The {len(found)} lines of the largest tables; of {all_of_them}.\n\n"
    header = [
        *("dataset · backbone · budget", "shots", "best, and not told apart from it", "Dice"),
        *("seconds", "memory", "beats the controls", "test patients"),
    ]
    return note + markdown_table(header, found) + "\n" + READING


def _largest(tables: Sequence[FirstLines]) -> list[FirstLines]:
    """So many that their lines are few; the largest always. In the order that they came in."""
    kept: set[str] = set()
    lines = 0
    for one in sorted(tables, key=lambda one: (-one.units, one.table)):
        lines += len(one.lines)
        if one.lines and (lines <= LINES or not kept):
            kept.add(one.table)
    return [one for one in tables if one.table in kept]


def _line(one: Headline) -> list[str]:
    key = one.table.key
    parts = [key.dataset, weights_text(key), key.budget.name]
    if key.val != "none":
        parts.append(f"val={key.val}")
    place = f"[{' · '.join(markdown(part) for part in parts)}](#t-{key.id})"
    shots = markdown(one.column.label)
    best = one.best
    if best is None or best.dice is None:
        return [place, shots, "— (no complete row)", "—", "—", "—", "—", "—"]
    first, rest = group_words(one)
    return [
        *(place, shots, f"**{markdown(first)}**{markdown(rest)}"),
        *(markdown(interval_text(best.dice)), seconds_words(one), bytes_text(memory_of(best))),
        *(markdown(controls_words(one)), patients_words(one)),
    ]


def seconds_words(one: Headline) -> str:
    assert one.best is not None
    seconds = seconds_of(one.best)
    if seconds is None:
        return "several machines"
    text = f"{seconds:.0f}"
    if one.decidable and one.cheapest is not None and one.cheapest[0] is not one.group[0]:
        row, least = one.cheapest
        if round(least) < round(seconds):
            text += f"; {markdown(row.label)}: {least:.0f}"
    return text
