"""Who stands in the first table's line beside the best row, and which of them is the cheapest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.board.headline import Headline, headlines, patients_words
from bench.board.statistics import Standing
from tests.board.factory import machine, record
from tests.board.test_statistics import found_in, made


def line(results: Path, letters: dict[str, str]) -> Headline:
    """Of these rows, from best to worst, with these letters."""
    rows = [r for n, name in enumerate(letters) for r in made(name, 0.8 - 0.1 * n)]
    found = found_in(results, *rows)
    [column] = found.columns
    standings = {name: Standing(own, None) for name, own in letters.items()}
    columns = {column: replace(found.columns[column], standings=standings)}
    [one] = headlines([replace(found, columns=columns)])
    return one


@pytest.mark.parametrize(
    ("letters", "group"),
    [
        ({"best": "a", "x": "ab", "y": "b"}, ["best", "x"]),
        ({"best": "ab", "x": "a", "y": "b"}, ["best", "x", "y"]),  # x and y differ from each other
        ({"best": "a", "x": "b", "y": "b"}, ["best"]),
        ({"best": "a1", "x": "a", "y": "b1a1"}, ["best", "y"]),
    ],
)
def test_the_group_is_all_that_share_a_letter_with_the_best(
    tmp_path: Path, letters: dict[str, str], group: list[str]
) -> None:
    assert [row.label for row in line(tmp_path, letters).group] == group


def test_the_cheapest_is_told_on_one_machine_alone(tmp_path: Path) -> None:
    here, there = machine(), machine("bbbb2222")
    rows = [
        record(
            [[0.7 + 0.01 * p + 0.02 * n * (-1) ** p] for p in range(12)],
            method=name,
            on=on,
            seconds=cost,
        )
        for n, (name, on, cost) in enumerate((("first", here, 100.0), ("second", there, 50.0)))
    ]
    [one] = headlines([found_in(tmp_path / "two", *rows)])
    assert len(one.group) == 2
    assert one.cheapest is None
    rows[1] = rows[1].model_copy(update={"machine": rows[0].machine})
    [one] = headlines([found_in(tmp_path / "one", *rows)])
    assert one.cheapest is not None
    assert one.cheapest[0].label == "second"


def test_one_draw_is_said(tmp_path: Path) -> None:
    [one] = headlines([found_in(tmp_path / "one", *made("alpha", 0.5, draws=1))])
    [two] = headlines([found_in(tmp_path / "two", *made("alpha", 0.5, draws=2))])
    assert (patients_words(one), patients_words(two)) == ("12; one draw", "12")
