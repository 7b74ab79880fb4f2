"""The board's files as a pure function of the records: made, written, compared."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.board.csvs import csv_files
from bench.board.leaderboard import leaderboard as page
from bench.board.reading import read_units
from bench.board.recordpage import page_name
from bench.board.spreading import spread
from bench.board.statistics import TableStatistics, statistics_of
from bench.board.tables import grouped, table_of
from bench.board.tabletexts import TableTexts, texts_of
from bench.board.units import TableKey, Unit
from bench.record.whole import whole


@dataclass(frozen=True)
class BoardSummary:
    """What a build did.

    units    the records as they were read, for who wants to show them
    files    everything the records give, written or already right
    changed  those of them that were written; `removed` stale ones that were deleted
    """

    units: Sequence[Unit]
    done: int
    failed: int
    tables: int
    files: tuple[Path, ...]
    changed: tuple[Path, ...]
    removed: tuple[Path, ...]

    @property
    def records(self) -> int:
        return len(self.units)


def build(results: Path, *, leaderboard: Path | None) -> BoardSummary:
    """Records -> `results/tables`, `results/figures` and the page, where one is asked for.

    The two folders belong to the board: CSV, Markdown and SVG files that the records do not give
    are removed.
    """
    units = read_units(results)
    tables = grouped(units)
    wanted = _render(units, tables, results, leaderboard)
    changed = [path for path, content in wanted.items() if _current(path) != content]
    for path in changed:
        with whole(path) as scratch:
            scratch.write_bytes(wanted[path])
    removed = _stale(results, wanted)
    for path in removed:
        path.unlink(missing_ok=True)  # another build may have been faster
    failed = sum(not unit.done for unit in units)
    return BoardSummary(
        units=units,
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
    wanted = _render(units, grouped(units), results, leaderboard)
    problems = []
    for path, content in wanted.items():
        current = _current(path)
        if current is None:
            problems.append(f"{path}: missing")
        elif current != content:
            problems.append(f"{path}: differs from what the records give")
    return [*problems, *(f"{path}: no record gives it" for path in _stale(results, wanted))]


Tables = Sequence[tuple[TableKey, list[Unit]]]
Drawn = Mapping[str, Mapping[str, tuple[str, str]]]
"""Table id -> title -> (file name, SVG)."""


def _render(
    units: Sequence[Unit], tables: Tables, results: Path, leaderboard: Path | None
) -> dict[Path, bytes]:
    by_id = {key.id: (key, own) for key, own in tables}
    pages = {key.id: results / "tables" / page_name(key) for key, _ in tables}
    seen_from = leaderboard or results / "leaderboard.md"

    def found_of(one: str) -> TableStatistics:
        return statistics_of(table_of(*by_id[one]))

    def texts_by_id(one: str) -> TableTexts:
        return texts_of(found_of(one), _link(pages[one], seen_from))

    with out_of_the_way():
        texts = list(spread(texts_by_id, list(by_id), records=len(units)))
        figures = _figures(tables, [one.places for one in texts], found_of)
    wanted = {
        results / "tables" / name: text
        for name, text in csv_files([one.lines for one in texts], units).items()
    }
    for of_one in figures.values():
        wanted |= {results / "figures" / name: svg for name, svg in of_one.values()}
    wanted |= {pages[one.section.id]: one.page for one in texts}
    if leaderboard is not None:
        links = {
            table: {
                title: _link(results / "figures" / name, leaderboard)
                for title, (name, _) in of_one.items()
            }
            for table, of_one in figures.items()
        }
        wanted[leaderboard] = page([one.section for one in texts], units, links)
    return {path: text.encode("utf-8", "backslashreplace") for path, text in wanted.items()}


def _figures(
    tables: Tables,
    places: Sequence[Mapping[str, Sequence[str]]],
    found_of: Callable[[str], TableStatistics],
) -> Drawn:
    """A table is made again to be drawn: few are, and to hand over all would take longer."""
    done = {key.id: sum(unit.done for unit in own) for key, own in tables}
    if not any(done.values()):
        return {}
    # Late: without figures nobody waits for matplotlib.
    from bench.board.figures import Limits, drawn
    from bench.board.plots.style import looks

    return drawn(done, looks(places), found_of, Limits())


@contextmanager
def out_of_the_way() -> Iterator[None]:
    """What is there stays, so the collector of cycles need not walk through it again and again: of
    thousands of units that was half the time of all that follows."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


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
