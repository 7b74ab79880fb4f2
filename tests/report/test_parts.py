"""Small pieces: escaping, choosing cases, thinning volumes."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.board.reading import read_units
from bench.board.statistics import statistics_of
from bench.board.tables import tables_of
from bench.record.schema import Record
from bench.report.html import cell, script_json, table, text
from bench.report.kept import shown_cases
from bench.report.slices import DEPTH, runs, strip, thinning
from bench.report.tables import section
from tests.board.factory import record, save
from tests.report.conftest import NASTY


def test_text_is_harmless_in_an_element_and_in_an_attribute() -> None:
    found = text(NASTY + "\x1b[31m\u202e")
    assert not set("<>\"'") & set(found)
    assert "\x1b" not in found
    assert "\u202e" not in found


def test_a_table_escapes_all_it_is_given() -> None:
    made = table(NASTY, [NASTY], [[cell(NASTY, heading=True)]])
    assert "<img" not in made
    assert "<script" not in made
    assert made.count("data-v=") == 1


def test_data_cannot_end_its_element() -> None:
    raw = script_json({"a": "</script><!--", "b": "\u2028&"})
    assert "<" not in raw
    assert ">" not in raw
    assert json.loads(raw) == {"a": "</script><!--", "b": "\u2028&"}


def chosen(results: Path, *records: Record) -> list[tuple[str, str, str, str]]:
    save(results, *records)
    tables = tables_of(read_units(results))
    kept = {r.key: r for r in records if r.files.predictions}
    return [
        (one.row.label, one.record.request.draw, one.kind, one.case.case)
        for one in shown_cases(tables, kept)
    ]


def test_a_section_names_cells_worth_a_second_look(tmp_path: Path) -> None:
    save(tmp_path, *(record([[0.5], [0.6]], draw=draw, overrides={"note": NASTY}) for draw in "01"))
    [board] = tables_of(read_units(tmp_path))
    made = section(statistics_of(board), {}, everything=False)
    assert "Worth a second look, the same scores whatever was labelled: " in made
    assert NASTY not in made


def test_worst_median_and_best_by_hand(tmp_path: Path) -> None:
    dice = {"a": [0.9], "b": [0.1], "c": [0.5], "d": [0.7], "e": ["both"]}
    found = chosen(
        tmp_path,
        record(dice, draw="10", predictions="p/10"),
        record(dice, draw="2", predictions="p/2"),
        record(dice, draw="0"),
        record(dice, method="beta", draw="0"),
    )
    assert found == [
        ("alpha", "2", kind, case)
        for kind, case in zip(("worst", "median", "best"), "bca", strict=True)
    ]


def test_one_case_is_worst_and_best(tmp_path: Path) -> None:
    found = chosen(tmp_path, record({"a": [0.9]}, predictions="p"))
    assert [one[2:] for one in found] == [("worst", "a"), ("median", "a"), ("best", "a")]


def test_nothing_scored_shows_nothing(tmp_path: Path) -> None:
    assert chosen(tmp_path, record({"a": ["both"]}, predictions="p")) == []


def unpacked(packed: str) -> list[int]:
    """As the page's script does it."""
    data, found, place = base64.b64decode(packed), [], 0
    while place < len(data):
        value, length, shift = data[place], 0, 0
        place += 1
        while True:
            byte = data[place]
            place += 1
            length += (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        found += [value] * length
    return found


@pytest.mark.parametrize("count", [1, 127, 128, 129, 16383, 16384, 300_000])
def test_runs_of_any_length(count: int) -> None:
    flat = [3] * count + [0, 255]
    assert unpacked(runs(np.array(flat, np.uint8))) == flat


def test_runs_of_a_random_volume() -> None:
    label = np.random.default_rng(0).integers(0, 4, (5, 7, 9)).astype(np.uint8)
    assert unpacked(runs(label[:, ::2])) == label[:, ::2].ravel().tolist()


def test_few_slices_stay_and_large_ones_are_thinned() -> None:
    label = np.zeros((12, 700, 300), np.uint8)
    cut = thinning(label)
    assert cut.of(label).shape == (12, 234, 100)
    assert cut.slices.tolist() == list(range(12))


def test_many_slices_are_those_around_the_labels() -> None:
    label = np.zeros((400, 8, 8), np.uint8)
    label[100:200, 2, 2] = 1
    label[300:] = 255
    cut = thinning(label)
    assert len(cut.slices) == DEPTH
    assert (cut.slices[0], cut.slices[-1]) == (98, 201)


def test_a_strip_holds_the_windowed_slices() -> None:
    image = np.zeros((3, 16, 24), np.float16)
    image[1] = 1000
    image[0, 0, 0] = np.nan
    kind, data = strip(image).split(",")
    assert kind == "data:image/jpeg;base64"
    grey = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert grey.shape == (48, 24)
    assert [grey[16 * i + 8].mean().round(-1) for i in range(3)] == [0, 260, 0]
