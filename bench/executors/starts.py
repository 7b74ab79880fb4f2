"""A unit's last start, as whoever only looks sees it: by its key, from its trail.

A trail says that a unit was started once, not that its job did so: one that was stopped earlier has
left its trail, and its state with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.smallfile import read_json


@dataclass(frozen=True)
class Start:
    """name     tells it from the unit's other starts
    since    when it was made
    stopped  it was asked to stop, and did
    """

    name: str
    since: str
    stopped: bool


DAMAGED = Start("of a damaged trail", "nobody knows when", stopped=False)
"""The unit's next start makes a new trail."""


def last_start(results: Path, key: str) -> Start | None:
    """None where none was made since the unit's record, if it has one."""
    try:
        starts = read_json(results / ".units" / key / "trail.json")["starts"]
        since, stopped = str(starts[-1]["started"]), starts[-1]["stopped"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError):
        return DAMAGED
    return Start(f"{len(starts)}, {since}", since, stopped is not None)


def start_names(results: Path, keys: Iterable[str]) -> dict[str, str]:
    """key -> its last start's name, where there is one: what a later look is held against."""
    found = {key: last_start(results, key) for key in keys}
    return {key: start.name for key, start in found.items() if start is not None}
