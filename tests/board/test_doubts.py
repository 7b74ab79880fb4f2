"""Cells worth a second look: found where they are, and only there."""

from __future__ import annotations

from pathlib import Path

from bench.board import build
from bench.board.doubts import BELOW, FEWER, SAME, UNCONFINED, UNMOVED, doubt_texts, doubts_of
from bench.board.reading import read_units
from bench.board.statistics import statistics_of
from bench.board.tables import tables_of
from bench.record.schema import Harness, Record
from tests.board.factory import record, save

Found = list[tuple[str, str, str, str]]


def scores(mean: float, *, move: float = 0.01) -> list[list[float]]:
    """Six patients around a mean, one class."""
    return [[mean + move * (place - 2.5) / 5] for place in range(6)]


def of_draws(mean: float, **words: object) -> list[Record]:
    """Three draws that differ a little, and not by the same for every patient."""
    return [
        record(scores(mean + draw / 1000, move=0.01 + draw / 500), draw=str(draw), **words)
        for draw in range(3)
    ]


def found(results: Path, *records: Record) -> Found:
    save(results, *records)
    [table] = tables_of(read_units(results))
    return [
        (one.kind, one.row.label, one.column.label, one.beside)
        for one in doubts_of(statistics_of(table))
    ]


def test_nothing_to_doubt(tmp_path: Path) -> None:
    control = of_draws(0.3, method="control_x", block="control")
    assert found(tmp_path, *of_draws(0.7), *of_draws(0.5, method="beta"), *control) == []


def test_a_method_that_was_not_confined_is_marked(tmp_path: Path) -> None:
    """Old records, which do not say, are not."""
    plain, bare = record(scores(0.7)), record(scores(0.5), method="beta")
    harness = Harness(
        wall_seconds=1, method_seconds=1, probe_seconds=0, scoring_seconds=0, overhead_seconds=0
    )
    confined = plain.model_copy(
        update={"harness": harness.model_copy(update={"isolation": "landlock"})}
    )
    open_ = bare.model_copy(update={"harness": harness.model_copy(update={"isolation": "none"})})
    assert found(tmp_path, confined, open_) == [(UNCONFINED, "beta", "1", "")]


def test_below_a_control(tmp_path: Path) -> None:
    control = of_draws(0.6, method="control_x", block="control")
    got = found(tmp_path, *of_draws(0.7), *of_draws(0.5, method="beta"), *control)
    assert got == [(BELOW, "beta", "1", "control_x")]


def test_below_a_control_by_chance_is_none(tmp_path: Path) -> None:
    """By a point on the mean, while patients differ by twenty from the control's."""
    uneven = [[0.5 + (0.2 if place % 2 else -0.22)] for place in range(6)]
    control = record(scores(0.5), method="control_x", block="control")
    assert found(tmp_path, record(uneven), control) == []


def test_better_with_fewer_labels(tmp_path: Path) -> None:
    better = [*of_draws(0.8), *of_draws(0.6, shots="5")]
    worse = [*of_draws(0.4, method="beta"), *of_draws(0.5, method="beta", shots="5")]
    assert found(tmp_path, *better, *worse) == [(FEWER, "alpha", "1", "5")]


def test_volumes_and_slices_are_not_set_against_each_other(tmp_path: Path) -> None:
    assert found(tmp_path, *of_draws(0.8), *of_draws(0.6, shots="5s")) == []


def test_the_same_scores_as_another_row(tmp_path: Path) -> None:
    twins = [*of_draws(0.8), *of_draws(0.8, method="beta"), *of_draws(0.7, method="gamma")]
    assert found(tmp_path, *twins) == [(SAME, "beta", "1", "alpha")]


def test_the_same_scores_whatever_was_labelled(tmp_path: Path) -> None:
    same = [record(scores(0.8), draw=draw) for draw in ("0", "1")]
    more = record(scores(0.8), shots="5")
    got = found(tmp_path, *same, more, *of_draws(0.7, method="beta"))
    assert got == [(UNMOVED, "alpha", "1", "1 draw 0"), (UNMOVED, "alpha", "5", "1 draw 0")]


def test_controls_and_oracles_may_repeat_themselves(tmp_path: Path) -> None:
    repeated = [
        record(scores(0.1), draw=draw, method=block, block=block)
        for draw in ("0", "1")
        for block in ("control", "oracle")
    ]
    assert found(tmp_path, *of_draws(0.7), *repeated) == []


def test_a_reader_is_told(tmp_path: Path) -> None:
    control = of_draws(0.6, method="control_x", block="control")
    five = of_draws(0.55, method="be_ta", shots="5")
    save(tmp_path, *of_draws(0.5, method="be_ta"), *five, *control)
    build(tmp_path, leaderboard=tmp_path / "leaderboard.md")
    page = (tmp_path / "leaderboard.md").read_text(encoding="utf-8")
    assert "\n- Worth a second look, below a control: be_ta (1)\n" in page
    lines = (tmp_path / "tables" / "doubts.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].endswith(",doubt,row,shots,named_draw,beside")
    assert [line.split(",")[8:] for line in lines[1:]] == [
        ["below a control", "be_ta", "1", "", "control_x"]
    ]


def test_a_line_a_kind(tmp_path: Path) -> None:
    control = [
        *of_draws(0.6, method="control_x", block="control"),
        *of_draws(0.65, method="control_y", block="control"),
    ]
    save(tmp_path, *of_draws(0.5), *of_draws(0.4, method="beta"), *control)
    [table] = tables_of(read_units(tmp_path))
    assert doubt_texts(statistics_of(table)) == [
        "Worth a second look, below a control: alpha (1), beta (1)"
    ]
