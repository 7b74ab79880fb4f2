"""The board's files as a pure function of the records: made, written, compared."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.board.csvs import csv_files
from bench.board.leaderboard import heading
from bench.board.leaderboard import leaderboard as page
from bench.board.reading import read_units
from bench.board.recordpage import page_name, record_page
from bench.board.statistics import statistics_of
from bench.board.tables import Table, tables_of
from bench.record.whole import whole


@dataclass(frozen=True)
class BoardSummary:
    """What a build did.

    files    everything the records give, written or already right
    changed  those of them that were written; `removed` stale ones that were deleted
    """

    records: int
    done: int
    failed: int
    tables: int
    files: tuple[Path, ...]
    changed: tuple[Path, ...]
    removed: tuple[Path, ...]


def build(results: Path, *, leaderboard: Path | None) -> BoardSummary:
    """Records -> `results/tables`, `results/figures` and the page, where one is asked for.

    The two folders belong to the board: CSV, Markdown and SVG files that the records do not give
    are removed.
    """
    units = read_units(results)
    with out_of_the_way():
        tables = tables_of(units)
        wanted = _render(tables, results, leaderboard)
    changed = [path for path, content in wanted.items() if _current(path) != content]
    for path in changed:
        with whole(path) as scratch:
            scratch.write_bytes(wanted[path])
    removed = _stale(results, wanted)
    for path in removed:
        path.unlink(missing_ok=True)  # another build may have been faster
    failed = sum(not unit.done for unit in units)
    return BoardSummary(
        records=len(units),
        done=len(units) - failed,
        failed=failed,
        tables=len(tables),
        files=tuple(wanted),
        changed=tuple(changed),
        removed=tuple(removed),
    )


def check(results: Path, leaderboard: Path | None) -> list[str]:
    """Files that are not what the records give, each with what is wrong. Writes nothing."""
    units = read_units(results)
    with out_of_the_way():
        wanted = _render(tables_of(units), results, leaderboard)
    problems = []
    for path, content in wanted.items():
        current = _current(path)
        if current is None:
            problems.append(f"{path}: missing")
        elif current != content:
            problems.append(f"{path}: differs from what the records give")
    return [*problems, *(f"{path}: no record gives it" for path in _stale(results, wanted))]


@contextmanager
def out_of_the_way() -> Iterator[None]:
    """What is there stays, so the collector of cycles need not walk through it again and again: of
    thousands of units that was half the time of all that follows."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _render(tables: list[Table], results: Path, leaderboard: Path | None) -> dict[Path, bytes]:
    statistics = [statistics_of(table) for table in tables]
    wanted = {
        results / "tables" / name: text.encode("utf-8", "backslashreplace")
        for name, text in csv_files(statistics).items()
    }
    figures: dict[str, dict[str, tuple[str, str]]] = {}
    if any(table.machines for table in tables):
        # Late: without figures nobody waits for matplotlib.
        from bench.board.figures import Limits, figure_files

        figures = figure_files(statistics, Limits())
    for drawn in figures.values():
        for name, svg in drawn.values():
            wanted[results / "figures" / name] = svg.encode("utf-8", "backslashreplace")
    pages = {}
    for table in tables:
        path = results / "tables" / page_name(table)
        pages[table.key.id] = path
        wanted[path] = record_page(table, heading(table)).encode("utf-8", "backslashreplace")
    if leaderboard is not None:
        links = {
            table: {
                title: _link(results / "figures" / name, leaderboard)
                for title, (name, _) in drawn.items()
            }
            for table, drawn in figures.items()
        }
        of_records = {table: _link(path, leaderboard) for table, path in pages.items()}
        wanted[leaderboard] = page(statistics, links, of_records).encode(
            "utf-8", "backslashreplace"
        )
    return wanted


def _link(file: Path, leaderboard: Path) -> str:
    """The file as seen from the page; spaces would end a Markdown link."""
    path = os.path.relpath(file, leaderboard.parent)
    return Path(path).as_posix().replace(" ", "%20").replace("(", "%28").replace(")", "%29")


def _stale(results: Path, wanted: dict[Path, bytes]) -> list[Path]:
    owned = [
        *(results / "tables").glob("*.csv"),
        *(results / "tables").glob("*.md"),
        *(results / "figures").glob("*.svg"),
    ]
    return sorted(path for path in owned if path not in wanted)


def _current(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
