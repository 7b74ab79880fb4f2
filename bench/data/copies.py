"""A copy against the whole dataset: which cases it lacks, and what the board calls it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.contract import Copy
from bench.errors import RequestError
from bench.record.schema import HASHED_IDS

NAMED = 20
"""Ids that a message lists before it says how many more there are."""

Expected = Sequence[str] | int | None
"""The split's patients, the number of cases where only that is known, or None for any copy."""


class MissingCopyError(RequestError):
    """No copy of the dataset was found; the caller knows how to get one."""


def layout_note(copy: Copy, layouts: Mapping[str, str], *, name: str) -> str:
    """The card's note on the copy's layout, "" for the official one."""
    if copy.layout not in layouts:
        known = ", ".join(sorted(layouts))
        raise RequestError(
            f"{name}: its dataset.py found the layout {copy.layout!r}, which its card.yaml does "
            f"not list under layouts ({known})"
        )
    return layouts[copy.layout]


@dataclass(frozen=True)
class Presence:
    """present, whole: expected ones that are there, and all; further: those nobody expected."""

    present: int
    whole: int
    further: int
    kind: str
    lacking: tuple[str, ...]


def presence(copy: Copy, expected: Expected) -> Presence:
    """Counts patients, and calls them cases where each has one."""
    patients = {source.patient for source in copy.sources}
    kind = "cases" if len(patients) == len(copy.sources) else "patients"
    if isinstance(expected, int):
        count = len(copy.sources)
        return Presence(min(count, expected), expected, max(0, count - expected), "cases", ())
    wanted = patients if expected is None else set(expected)
    lacking = tuple(sorted(wanted - patients))
    return Presence(len(wanted) - len(lacking), len(wanted), len(patients - wanted), kind, lacking)


def check_complete(copy: Copy, expected: Expected, *, name: str) -> None:
    """Refuse a copy that lacks something."""
    found = presence(copy, expected)
    if found.present == found.whole:
        return
    which = ""
    if found.lacking:
        more = len(found.lacking) - NAMED
        tail = f" and {more} more" if more > 0 else ""
        which = f": {', '.join(found.lacking[:NAMED])}{tail}"
    where = f" in {copy.root}" if copy.root is not None else ""
    raise RequestError(
        f"{name}: {found.whole - found.present} of {found.whole} {found.kind} are missing{where}"
        f"{which}; add them, or run on what is there with data.partial=true"
    )


def copy_name(
    name: str,
    *,
    layout_note: str = "",
    present: int = 0,
    expected: int = 0,
    further: int = 0,
    kind: str = "cases",
    skipped: int = 0,
    hashed: bool = False,
) -> str:
    """The board's name: "la2018", or "la2018, h5 crop, 30 of 100 cases, 2 bad cases left out"."""
    parts = [name]
    if layout_note:
        parts.append(layout_note)
    if present < expected:
        parts.append(f"{present} of {expected} {kind}")
    if further:
        parts.append(f"{further} further {kind}")
    if skipped:
        parts.append(f"{skipped} bad {'case' if skipped == 1 else 'cases'} left out")
    if hashed:
        parts.append(HASHED_IDS)
    return ", ".join(parts)
