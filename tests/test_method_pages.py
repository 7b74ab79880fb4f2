"""The tables of docs/methods say what the committed records say."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUDGET = "cpu-1min"
NOT_RUN = "—"
CELL = re.compile(r"(\d+\.\d) \((-?\d+) to (\d+)\)")


def tables(text: str) -> Iterator[tuple[str, str, str, str]]:
    """(row, dataset, shots, cell) of each table whose columns are "DATASET, SHOTS"."""
    columns: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            columns = []
        elif not columns:
            columns = cells[1:] if cells[0] == "method" else ["" for _ in cells[1:]]
        elif not cells[0].startswith("---"):
            for column, cell in zip(columns, cells[1:], strict=True):
                if "," in column:
                    dataset, shots = column.split(", ")
                    yield cells[0], dataset, shots, cell


def percent(value: str, form: str) -> str:
    return format(100 * float(value), form)


def test_every_number_of_a_page_is_on_the_board() -> None:
    with (ROOT / "results/tables/cells.csv").open(encoding="utf-8") as file:
        known = {
            (row["row"], row["dataset"].split(",")[0], row["shots"]): (
                percent(row["dice_mean"], ".1f"),
                percent(row["dice_low"], ".0f"),
                percent(row["dice_high"], ".0f"),
            )
            for row in csv.DictReader(file)
            if row["budget"] == BUDGET and row["dice_low"]
        }
    told = [
        (page.name, *found)
        for page in sorted((ROOT / "docs/methods").glob("*.md"))
        for found in tables(page.read_text(encoding="utf-8"))
    ]
    assert len(told) > 30
    for page, row, dataset, shots, cell in told:
        if cell == NOT_RUN:
            assert (row, dataset, shots) not in known, f"{page}: {row}, {dataset}, {shots}: it was"
            continue
        match = CELL.fullmatch(cell)
        assert match, f"{page}: {row}, {dataset}, {shots}: {cell!r}"
        assert match.groups() == known[row, dataset, shots], f"{page}: {row}, {dataset}, {shots}"
