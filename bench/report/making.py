"""One HTML file from a folder of records."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from bench.board.figures import Limits, figure_files
from bench.board.reading import read_units
from bench.board.statistics import TableStatistics, statistics_of
from bench.board.tables import every_unit, tables_of
from bench.board.text import plural
from bench.cards import Card
from bench.record.schema import Record
from bench.record.whole import whole
from bench.report.cases import Browser, Volumes, browser
from bench.report.failures import failures, methods
from bench.report.html import paragraphs, text
from bench.report.kept import shown_cases
from bench.report.tables import overview, section

ASSETS = files("bench.report") / "assets"
WITH_PAIRS = 12
"""Comparisons beyond which the pairs are left to the CSV files: there are hundreds in each."""
EMPTY = "There are no records here yet: python -m bench run method=... dataset=... makes some."


@dataclass(frozen=True)
class ReportSummary:
    """What stands in the file. images: dataset -> cases with image data; problems: cases that could
    not be shown, with the reason."""

    path: Path
    records: int
    tables: int
    images: dict[str, int]
    problems: tuple[str, ...]


def write_report(
    results: Path,
    out: Path,
    *,
    cards: Mapping[str, Card],
    volumes: Volumes | None = None,
    drawn: frozenset[str] = frozenset(),
) -> ReportSummary:
    """`cards`: of the installed methods. `volumes`: where image data comes from; without it there
    is none in the file. `drawn`: datasets that are no patients' images."""
    kept: dict[str, Record] = {}

    def keep(record: Record) -> None:
        if record.files.predictions is not None and record.status == "done":
            kept[record.key] = record

    tables = tables_of(read_units(results, keep))
    statistics = [statistics_of(table) for table in tables]
    found = browser(shown_cases(tables, kept), results, volumes)
    patients = [name for name in found.datasets if _dataset(name, kept) not in drawn]
    html = _page(statistics, found, patients, cards)
    with whole(out) as scratch:
        scratch.write_bytes(html.encode("utf-8", "backslashreplace"))
    count = len(every_unit(tables))
    return ReportSummary(out, count, len(tables), found.datasets, found.problems)


def _dataset(name: str, kept: Mapping[str, Record]) -> str:
    """The folder's name of a copy."""
    return next(r.request.dataset for r in kept.values() if r.data.name == name)


def _page(
    statistics: Sequence[TableStatistics],
    found: Browser,
    patients: Sequence[str],
    cards: Mapping[str, Card],
) -> str:
    tables = [one.table for one in statistics]
    units = every_unit(tables)
    failed = sum(not unit.done for unit in units)
    counts = f"{plural(len(units), 'record')}, {failed} of them failed or incomplete"
    if tables:
        versions = ", ".join(str(v) for v in sorted({table.key.protocol for table in tables}))
        counts += f"; protocol version {versions}"
    first = overview(statistics) if tables else f"<p>{EMPTY}</p>"
    drawn = figure_files(statistics, Limits())
    sections = "".join(
        section(one, drawn.get(one.table.key.id, {}), everything=len(statistics) <= WITH_PAIRS)
        for one in statistics
    )
    body = f"""<a class="skip" href="#main">To the content</a>
<header><h1>sambench report</h1><p>{text(counts)}.</p>
{_banner(found, patients)}<nav aria-label="Parts"><a href="#overview">Overview</a>
<a href="#tables">Tables and figures</a> <a href="#cases-part">Cases</a>
<a href="#failed">Failed units</a> <a href="#methods">Methods</a></nav></header>
<main id="main"><section id="overview"><h2>Overview</h2>{first}</section>
<section id="tables"><h2>Tables and figures</h2>{sections}</section>
<section id="cases-part"><h2>Cases</h2>{_problems(found)}{found.html}</section>
<section id="failed"><h2>Failed units</h2>{failures(tables)}</section>
<section id="methods"><h2>Methods</h2>{methods(tables, cards)}</section></main>"""
    return _shell(body)


def _banner(found: Browser, patients: Sequence[str]) -> str:
    if not found.datasets:
        return ""
    cases = ", ".join(f"{name} ({plural(n, 'case')})" for name, n in found.datasets.items())
    said = "This file holds patient images" if patients else "This file holds drawn images"
    rest = "Handle it as you handle the data." if patients else "They show no patient."
    return f'<p class="banner" role="note"><strong>{said}</strong>: {text(cases)}. {rest}</p>'


def _problems(found: Browser) -> str:
    if not found.problems:
        return ""
    return f"<p>Not shown, with the reason:</p>{paragraphs(found.problems)}"


def _shell(body: str) -> str:
    """The policy lets this file's own style and script run, by their hashes, and nothing else."""
    style, script = (
        (ASSETS / name).read_text(encoding="utf-8") for name in ("report.css", "report.js")
    )
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><title>sambench report</title>'
        f"<style>{style}</style></head><body>\n{body}\n<script>{script}</script></body></html>\n"
    )


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
