"""python -m bench status [results=DIR] [--once] [--json]

How the sweeps of a results folder go: units that are queued, running, done, failed, stopped, or not
started. In a terminal the view follows them until nothing runs or waits; --once prints it once.

Sweeps of every shell and every machine that share the folder are seen. A stopped unit was
interrupted; the same `run` command goes on with it, and with what is not started.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.cli.words import read_words
from bench.errors import one_line
from bench.executors.survey import STATES, Survey, survey

EVERY = 2.0
MOST = 12
"""Units of a kind that are listed; the rest is counted."""


def main(arguments: Sequence[str], include: tuple[Path, ...]) -> int:
    words = read_words(arguments, keys=["results"], flags=["--once", "--json"])
    results = words.results()
    found = survey(results)
    if "--json" in words.flags:
        print(json.dumps({"counts": found.counts, "units": [asdict(u) for u in found.units]}))
    elif "--once" in words.flags or not sys.stdout.isatty():
        print("\n".join(map(one_line, lines(found))))
    else:
        follow(results, found)
    return 1 if found.counts["failed"] else 0


def follow(results: Path, found: Survey) -> None:
    with Live(view(found), console=Console(), refresh_per_second=4) as live:
        while found.moves:
            time.sleep(EVERY)
            found = survey(results, known=found)
            live.update(view(found))


def headline(found: Survey) -> str:
    counts = [f"{found.counts[state]} {state}" for state in STATES if found.counts[state]]
    return " · ".join([f"{len(found.units)} units", *counts])


def lines(found: Survey) -> Iterator[str]:
    yield headline(found)
    if not found.units:
        yield "nothing was asked for in this folder; see `python -m bench run --help`"
    for state in ("running", "failed", "stopped"):
        listed = found.of(state)
        for unit in listed[:MOST]:
            more = " ".join(part for part in (unit.where, unit.since, unit.reason) if part)
            yield f"{state:<8} {unit.key}  {unit.title}" + (f": {more}" if more else "")
        if len(listed) > MOST:
            yield f"         and {len(listed) - MOST} more {state}"
    if found.note:
        yield found.note
    if found.units:
        yield f"asked for by: {found.command}"


def view(found: Survey) -> RenderableType:
    """What a terminal shows."""
    ended = found.counts["done"] + found.counts["failed"]
    parts: list[RenderableType] = [
        Text(headline(found), style="bold"),
        ProgressBar(total=max(1, len(found.units)), completed=ended, width=60),
    ]
    for state, style in (("running", "cyan"), ("failed", "red"), ("stopped", "yellow")):
        listed = found.of(state)
        if not listed:
            continue
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for unit in listed[:MOST]:
            cells = (state, unit.key, unit.title, unit.where, unit.since, unit.reason)
            table.add_row(*(Text(one_line(cell), style=style) for cell in cells))
        if len(listed) > MOST:
            table.add_row(Text(f"and {len(listed) - MOST} more", style=style))
        parts.append(table)
    if found.note:
        parts.append(Text(one_line(found.note), style="yellow"))
    return Group(*parts)
