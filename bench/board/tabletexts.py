"""All that one table gives to the board's files, as texts.

The tables know nothing of each other, so any process can make a table's texts; they are all that
comes back of it. Figures are drawn later: a row's look depends on its place in all tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.board.csvs import TableLines, lines_of
from bench.board.leaderboard import Section, heading, section_of
from bench.board.recordpage import record_page
from bench.board.statistics import TableStatistics


@dataclass(frozen=True)
class TableTexts:
    """page: of its records; places: block -> the labels of its rows, from the top."""

    lines: TableLines
    section: Section
    page: str
    places: dict[str, list[str]]


def texts_of(found: TableStatistics, page: str) -> TableTexts:
    """`page`: path of the page of its records, as seen from the leaderboard."""
    table = found.table
    return TableTexts(
        lines=lines_of(found),
        section=section_of(found, page),
        page=record_page(table, heading(table.key)),
        places=table.places,
    )
