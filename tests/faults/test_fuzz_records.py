"""Broken records: refused in one line, or shown; the board never falls over a stranger's numbers.

Thousands of new ones: pytest tests/faults -k fuzz --hypothesis-profile=long
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from bench.board.csvs import csv_files
from bench.board.leaderboard import leaderboard
from bench.board.reading import read_units
from bench.board.statistics import statistics_of
from bench.board.tables import tables_of
from bench.board.tabletexts import texts_of
from bench.cli.ls import rows_of
from bench.cli.show import record_lines
from bench.record.store import find_record, read_record, status_of
from tests.board.factory import record
from tests.faults.spoiling import many, other_tree, said_by, spoiled

WHOLE = json.loads(
    record(
        [[0.8, 0.5], [0.4, "missed"], [0.9, "both"]],
        classes=("organ", "tumour"),
        converged=3.0,
        pretraining_seconds=5.0,
        curve=[
            {"epochs": e, "steps": 10 * e, "samples": 80 * e, "seconds": 9.0 * e, "loss": 1 / e}
            | {"dice": 0.1 * e, "classes": {"organ": 0.1 * e, "tumour": None}}
            for e in range(1, 6)
        ],
    ).model_dump_json()
)
OTHER = record([[0.7, 0.4], [0.3, 0.1], [0.8, 0.2]], method="beta", classes=("organ", "tumour"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a record in a folder with one that is whole."""
    results = tmp_path_factory.mktemp("results")
    folder = results / "records" / "toy" / "alpha"
    folder.mkdir(parents=True)
    (folder / f"other-{OTHER.key}.json").write_text(OTHER.model_dump_json(indent=1) + "\n")
    return folder / "shots1-draw0-0123456789abcdef.json"


def look(place: Path) -> None:
    """All that looks at a record; one line is the most that a broken one may cost."""
    results = place.parents[3]
    asked = (
        lambda: status_of(place),
        lambda: list(record_lines(read_record(place), place)),
        lambda: find_record(results, "01234567"),
        lambda: rows_of("records", (), results),
        lambda: board(results),
    )
    for ask in asked:
        said_by(ask)


def board(results: Path) -> None:
    units = read_units(results)
    texts = [texts_of(statistics_of(table), "records.md") for table in tables_of(units)]
    leaderboard([one.section for one in texts], units, {})
    csv_files([one.lines for one in texts], units)


@many(40, costly=3)
@given(tree=other_tree(WHOLE))
def test_records_of_another_content(place: Path, tree: Any) -> None:
    place.write_text(json.dumps(tree, indent=1) + "\n")
    look(place)


@many(40, costly=3)
@given(content=spoiled(json.dumps(WHOLE, indent=1).encode(), text=True, head=5000))
def test_records(place: Path, content: bytes) -> None:
    place.write_bytes(content)
    look(place)


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"a":' * 100_000, b'{"status": "done"}', b""]
)
def test_what_is_no_record(place: Path, content: bytes) -> None:
    place.write_bytes(content)
    look(place)
    assert said_by(lambda: read_record(place))


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the numbers of a tree are."""
    if isinstance(tree, dict | list):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        return [place for key, value in items for place in places(value, (*path, key))]
    return [path] if isinstance(tree, int | float) and not isinstance(tree, bool) else []


@pytest.mark.parametrize("number", [2**63, 1.7e308])
def test_absurd_numbers_everywhere(place: Path, number: float) -> None:
    """Each number of a record in its turn; then all that one record may hold of them."""
    everywhere = json.loads(json.dumps(WHOLE))
    for path in places(WHOLE):
        tree = json.loads(json.dumps(WHOLE))
        *before, last = path
        inside, whole = tree, everywhere
        for key in before:
            inside, whole = inside[key], whole[key]
        inside[last] = number
        place.write_text(json.dumps(tree))
        look(place)
        if not said_by(lambda: read_record(place)):
            whole[last] = number
    place.write_text(json.dumps(everywhere))
    look(place)
