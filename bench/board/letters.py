"""Tied groups as letters: two rows share a letter if and only if they were not told apart."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import count
from string import ascii_lowercase


def letters(rows: Sequence[str], apart: Collection[tuple[str, str]]) -> dict[str, str]:
    """Row -> its letters, "a" first; `rows` from best to worst, `apart` the pairs that differ.

    The compact letter display of Piepho (2004): start with one group of all rows; for each pair
    that differs, split every group that holds both; drop groups that lie within another.
    """
    groups: list[frozenset[str]] = [frozenset(rows)] if rows else []
    place = {row: index for index, row in enumerate(rows)}
    for first, second in sorted(apart, key=lambda pair: (place[pair[0]], place[pair[1]])):
        split: list[frozenset[str]] = []
        for group in groups:
            both = first in group and second in group
            split += [group - {first}, group - {second}] if both else [group]
        groups = _absorbed(split)
    groups.sort(key=lambda group: sorted(place[row] for row in group))
    found = dict.fromkeys(rows, "")
    for name, group in zip(_names(), groups, strict=False):
        for row in group:
            found[row] += name
    return found


def _absorbed(groups: Sequence[frozenset[str]]) -> list[frozenset[str]]:
    distinct = list(dict.fromkeys(groups))
    return [group for group in distinct if not any(group < other for other in distinct)]


def _names() -> Iterator[str]:
    """a to z, then a1 to z1 and so on."""
    for turn in count():
        for letter in ascii_lowercase:
            yield letter if turn == 0 else f"{letter}{turn}"
