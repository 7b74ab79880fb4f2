"""split.json: what is written is read back, and every wrong file gets its own line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.data.splits import Draw, SplitBook, draw_book, load_book, open_book, save_book
from bench.data.splits.book import check_book, content_hash
from bench.errors import RequestError

PATIENTS = [f"p{number}" for number in range(12)]
SITES = {name: "NS"[number % 2] for number, name in enumerate(PATIENTS)}


@pytest.fixture
def book() -> SplitBook:
    drawn = draw_book("toy", PATIENTS, SITES)
    train = drawn.splits["ours"].train
    listed = Draw("paper", "ours", "a paper", train[:2], ((train[0], 3), (train[0], 1)), True)
    return replace(drawn, draws={**drawn.draws, "paper": listed})


@pytest.fixture
def path(tmp_path: Path, book: SplitBook) -> Path:
    file = tmp_path / "split.json"
    save_book(file, book)
    return file


def rewrite(path: Path, change: dict[str, Any], *, hashed: bool = True) -> None:
    content = {**json.loads(path.read_text()), **change}
    if hashed:
        del content["sha256"]
        content["sha256"] = content_hash(content)
    path.write_text(json.dumps(content))


def test_round_trip(path: Path, book: SplitBook) -> None:
    assert load_book(path, "toy") == book
    assert json.loads(path.read_text())["sha256"] == book.sha256


def test_the_hash_does_not_depend_on_the_layout(path: Path, book: SplitBook) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(content.items())), indent=7))
    assert load_book(path, "toy") == book


def test_several_books_in_one_file(tmp_path: Path, book: SplitBook) -> None:
    file = tmp_path / "split.json"
    other = draw_book("other", PATIENTS, {})
    save_book(file, book, other)
    assert load_book(file, "toy") == book
    assert load_book(file, "other") == other
    with pytest.raises(RequestError, match="'othr'; did you mean other"):
        load_book(file, "othr")
    content = json.loads(file.read_text())
    file.write_text(json.dumps({"format": 1, "books": {**content["books"], "toy": []}}))
    with pytest.raises(RequestError, match="the book of toy is not an object"):
        load_book(file, "toy")


def test_a_changed_patient_breaks_the_hash(path: Path) -> None:
    path.write_text(path.read_text().replace('"p3"', '"p99"'))
    with pytest.raises(RequestError, match=r"does not match its sha256 .* restore the committed"):
        load_book(path, "toy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2 is unknown; this version reads 1"),
        ({"dataset": "other"}, "is the split of other, not of toy"),
        ({"default": 3}, "'default' must be of type str"),
        ({"default": "none"}, "the default split 'none' is not among ours"),
        ({"splits": {"ours": {"source": "x", "train": ["a"], "val": []}}}, "key 'test' is missing"),
        (
            {"splits": {"ours": {"source": "x", "train": ["a", 1], "val": [], "test": ["b"]}}},
            "'train' must be a list of strings",
        ),
        (
            {"splits": {"ours": {"source": "x", "train": ["a"], "val": ["a"], "test": ["b"]}}},
            "patient a is listed twice in split 'ours'",
        ),
        (
            {"splits": {"ours": {"source": "x", "train": ["a"], "val": [], "test": []}}},
            "split 'ours' has no test patient",
        ),
        (
            {"splits": {"ours": {"source": "x", "train": [], "val": [], "test": ["b"]}}},
            "split 'ours' has no train patient",
        ),
    ],
)
def test_wrong_content(path: Path, change: dict[str, Any], message: str) -> None:
    rewrite(path, change)
    with pytest.raises(RequestError, match=message):
        load_book(path, "toy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "no"}, "draw '0' names an unknown split 'no'"),
        ({"patients": [], "slices": []}, "draw '0' lists neither patients nor slices"),
        ({"patients": ["zz"]}, "draw '0' has zz, who is no training patient"),
        ({"slices": ["p1"]}, "'p1' is no slice; write it as case:index"),
        ({"slices": ["p1:-2"]}, "'p1:-2' is no slice"),
        ({"slices": ["p1:2", "p1:2"]}, "draw '0' lists something twice"),
        ({"foreground": "yes"}, "'foreground' must be of type bool"),
    ],
)
def test_wrong_draws(path: Path, change: dict[str, Any], message: str) -> None:
    draw = {**json.loads(path.read_text())["draws"]["0"], **change}
    rewrite(path, {"draws": {"0": draw}})
    with pytest.raises(RequestError, match=message):
        load_book(path, "toy")


def test_files_that_are_no_split(tmp_path: Path) -> None:
    file = tmp_path / "split.json"
    with pytest.raises(RequestError, match="no split file"):
        load_book(file, "toy")
    file.write_text('{"format":\n nonsense}')
    with pytest.raises(RequestError, match=r"is not JSON: .* in line 2"):
        load_book(file, "toy")
    file.write_text("[]")
    with pytest.raises(RequestError, match="holds no JSON object"):
        load_book(file, "toy")
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RequestError, match="cannot read the split"):
        load_book(file, "toy")
    with pytest.raises(RequestError, match="cannot write the split"):
        save_book(tmp_path / "absent" / "split.json", draw_book("toy", PATIENTS, {}))
    assert [entry.name for entry in tmp_path.iterdir()] == ["split.json"]


def test_a_draw_outside_the_book_is_named_with_its_neighbours(book: SplitBook) -> None:
    with pytest.raises(RequestError, match="unknown draw of toy 'papr'; did you mean paper"):
        book.draw("papr")


def test_check_book_returns_the_book(book: SplitBook) -> None:
    assert check_book(book) is book


def test_missing_patients_are_sorted(book: SplitBook) -> None:
    present = dict.fromkeys(PATIENTS[3:], ("case",))
    assert book.missing("0", present) == ("p0", "p1", "p2")


def test_open_book_draws_once_and_then_keeps_its_word(tmp_path: Path) -> None:
    file = tmp_path / "sambench_split.json"
    first = open_book(file, "toy", PATIENTS, {})
    assert first == draw_book("toy", PATIENTS, {})
    before = file.read_bytes()
    assert open_book(file, "toy", PATIENTS[:8], {}) == first
    assert file.read_bytes() == before
    with pytest.raises(RequestError, match=r"1 of 13 patients are not in .*\(new\); delete that"):
        open_book(file, "toy", [*PATIENTS, "new"], {})
