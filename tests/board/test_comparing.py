"""Two methods or two records in a plain sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench.board.comparing import compare_methods, compare_records, sentences
from bench.board.reading import read_units
from bench.board.tables import Table, tables_of
from bench.errors import RequestError
from bench.record.schema import Record
from tests.board.factory import machine, record, save

LEVEL = np.linspace(0, 0.2, 12)


def dice(base: float, *, noise: int = 0, size: float = 0.0) -> list[list[float]]:
    own = np.random.default_rng(noise).uniform(-size, size, 12)
    return [[round(float(base + x + e), 3)] for x, e in zip(LEVEL, own, strict=True)]


def tables(results: Path, *records: Record) -> list[Table]:
    save(results, *records)
    return tables_of(read_units(results))


def test_better_by_so_many_points(tmp_path: Path) -> None:
    found = compare_methods(
        tables(tmp_path, record(dice(0.5, noise=1, size=0.01)), record(dice(0.3), method="beta")),
        "beta",
        "alpha",
        "dice",
    )
    [one] = found
    values = np.array(dice(0.5, noise=1, size=0.01)) - np.array(dice(0.3))
    low, high = stats.t.interval(0.95, 11, loc=values.mean(), scale=stats.sem(values))
    assert one.comparison.effect == pytest.approx(-values.mean())
    assert list(sentences(found, "dice"))[:2] == [
        "toy · cpu-2min · protocol 1 · backbone nano · 1 shot",
        f"  alpha is better than beta by {100 * values.mean():.1f} Dice points "
        f"[{100 * low.item():+.1f}, {100 * high.item():+.1f}] "
        "(Wilcoxon p = 0.00049, 1 draw, 12 patients).",
    ]
    assert one.notes == (
        "n = 12, fewer than 50: only large differences can be told apart",
        "one draw: nothing is said of another choice of labelled patients",
        "made with nano backbones, our own: nothing is said of published checkpoints",
    )


def test_cannot_be_told_apart_says_what_could_have_been(tmp_path: Path) -> None:
    first, second = dice(0.5, noise=1, size=0.05), dice(0.5, noise=2, size=0.05)
    found = compare_methods(
        tables(tmp_path, record(first), record(second, method="beta")), "alpha", "beta", "iou"
    )
    text = list(sentences(found, "iou"))[1]
    assert "alpha and beta cannot be told apart: the difference is " in text
    assert "IoU points [" in text
    assert text.endswith("points would have been found in 8 of 10 cases.")


def test_nothing_is_promised_that_the_test_never_finds(tmp_path: Path) -> None:
    """Five patients that agree have p = 0.0625; equal rows have no spread to go by."""
    few = tables(tmp_path / "few", record(dice(0.8)[:5]), record(dice(0.3)[:5], method="beta"))
    [text] = list(sentences(compare_methods(few, "alpha", "beta", "dice"), "dice"))[1:2]
    assert "cannot be told apart: the difference is +50.0 Dice points" in text
    assert text.endswith(
        "; with so few patients Wilcoxon's test cannot tell, whatever the difference."
    )
    same = tables(tmp_path / "same", record(dice(0.8)), record(dice(0.8), method="beta"))
    [text] = list(sentences(compare_methods(same, "alpha", "beta", "dice"), "dice"))[1:2]
    assert text.endswith("+0.0 Dice points [+0.0, +0.0] (Wilcoxon p = 1, 1 draw, 12 patients).")


def test_ranks_and_mean_for_different_rows_are_no_winner(tmp_path: Path) -> None:
    """51 patients a point worse, 9 rescued: p is small, and it speaks for the other row."""
    first, second = [[0.39]] * 51 + [[0.9]] * 9, [[0.4]] * 60
    found = tables(tmp_path, record(first), record(second, method="beta"))
    [text] = list(sentences(compare_methods(found, "alpha", "beta", "dice"), "dice"))[1:2]
    assert "alpha and beta cannot be told apart" in text
    assert text.endswith("; most patients are for the one, the mean is for the other.")


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_one_and_two_draws_are_noted(tmp_path: Path, draws: int) -> None:
    made = [
        record(dice(base, noise=d, size=0.01), method=m, draw=str(d))
        for m, base in (("alpha", 0.6), ("beta", 0.4))
        for d in range(draws)
    ]
    [one] = compare_methods(tables(tmp_path, *made), "alpha", "beta", "dice")
    notes = [note.partition(" draw")[0] for note in one.notes if " draw" in note]
    assert notes == {1: ["one"], 2: ["two"], 3: []}[draws]


def test_every_table_and_column_with_both(tmp_path: Path) -> None:
    found = compare_methods(
        tables(
            tmp_path,
            *(
                record(dice(base), method=method, shots=shots, val=val)
                for method, base in (("alpha", 0.5), ("beta", 0.4))
                for shots in ("1", "5")
                for val in ("none", "oracle")
            ),
            record(dice(0.5), shots="10"),
        ),
        "alpha",
        "beta",
        "dice",
    )
    assert [one.heading for one in found] == [
        "toy · cpu-2min · protocol 1 · backbone nano · 1 shot",
        "toy · cpu-2min · protocol 1 · backbone nano · 5 shot",
        "toy · cpu-2min · val=oracle · protocol 1 · backbone nano · 1 shot",
        "toy · cpu-2min · val=oracle · protocol 1 · backbone nano · 5 shot",
    ]
    assert list(sentences(found, "dice"))[-1].startswith("Each p is that of one comparison alone")


def test_blocks_and_machines_are_noted(tmp_path: Path) -> None:
    control = record(dice(0.2), method="c", block="control", on=machine("bbbb2222"), backbone="x")
    [one] = compare_methods(
        tables(tmp_path, record(dice(0.5), backbone="x"), control), "alpha", "c", "dice"
    )
    assert one.notes[2:] == (
        "not ranked with methods: block control",
        "2 machines under a budget of seconds: the faster one trained longer",
    )


def test_many_patients_and_draws_need_no_warning(tmp_path: Path) -> None:
    values = [[0.5 + 0.001 * p] for p in range(60)]
    records = [
        record(values, method=method, draw=str(d), backbone="x")
        for method in ("alpha", "beta")
        for d in range(3)
    ]
    [one] = compare_methods(tables(tmp_path, *records), "alpha", "beta", "dice")
    assert one.notes == ()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("alpha", "betta"), "unknown method or row 'betta'; did you mean beta"),
        (("alpha", "beta"), "alpha is 2 rows of one table; name one of them: 'alpha lr=1', 'alpha"),
        (("alpha lr=1", "late"), "nothing to compare alpha lr=1 and late by: toy"),
        (("beta", "away"), "nothing to compare beta and away by: they have no table in common"),
    ],
)
def test_what_cannot_be_compared(tmp_path: Path, names: tuple[str, str], message: str) -> None:
    found = tables(
        tmp_path,
        record(dice(0.5), overrides={"lr": 1}),
        record(dice(0.5), overrides={"lr": 2}),
        record(dice(0.5), method="beta"),
        record(method="late", reason="crash"),
        record(method="away", dataset="other"),
    )
    with pytest.raises(RequestError) as caught:
        compare_methods(found, *names, "dice")
    assert str(caught.value).startswith(message)


def test_two_records(tmp_path: Path) -> None:
    first = record(dice(0.5), overrides={"lr": 0.1})
    second = record(dice(0.3, noise=1, size=0.02), draw="1", backbone="base")
    one = compare_records(first, second, "dice")
    assert one.comparison.effect == pytest.approx(0.2, abs=0.02)
    assert one.first == f"alpha ({first.key[:8]})"
    assert one.notes[0] == "the two records differ in options, labels, backbone (see `diff`)"
    assert any("nano" in note for note in one.notes)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"fingerprint": "d" * 64}, "dataset copy"),
        ({"protocol": 2}, "protocol"),
        ({"test": ["p000"]}, "test cases"),
        ({"classes": ("tumour",)}, "classes"),
    ],
)
def test_records_of_other_data_cannot_be_paired(change: dict[str, Any], what: str) -> None:
    first, second = record(dice(0.5)), record(dice(0.5), draw="1", **change)
    with pytest.raises(RequestError) as caught:
        compare_records(first, second, "dice")
    assert str(caught.value) == (
        f"records {first.key} and {second.key} cannot be paired: other {what}; "
        f"see `diff {first.key} {second.key}`"
    )


def test_a_failed_record_cannot_be_compared() -> None:
    failed = record(reason="out of memory")
    with pytest.raises(RequestError, match=rf"{failed.key} cannot be compared: out of memory"):
        compare_records(record(), failed, "dice")


def test_records_without_a_score() -> None:
    first, second = record([["both"]]), record([["both"]], draw="1")
    with pytest.raises(RequestError, match="no patient is scored in both"):
        compare_records(first, second, "dice")
