"""The figures say what the tables say, whatever the names are."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes

from bench.board.figures import figure_files
from bench.board.plots.pareto import pareto_figure
from bench.board.plots.shots import shots_figure
from bench.board.plots.style import looks, quiet_style
from bench.board.reading import read_units
from bench.board.statistics import statistics_of
from bench.board.tables import Table, tables_of
from bench.board.units import unit_dice
from bench.record.schema import Record
from tests.board.factory import machine, record, save


def tables(results: Path, *records: Record) -> list[Table]:
    save(results, *records)
    return tables_of(read_units(results))


def files_of(found: list[Table]) -> dict[str, dict[str, tuple[str, str]]]:
    return figure_files([statistics_of(table) for table in found])


def means(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    """Marker -> finite points of the lines through means; "None" is the front."""
    return {
        str(line.get_marker()): [
            (float(x), float(y))
            for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
            if np.isfinite(y)
        ]
        for line in axes.lines
    }


def test_shots_figure_shows_means_intervals_and_draws(tmp_path: Path) -> None:
    [table] = tables(
        tmp_path,
        *(record([[0.5], [0.6 + d / 10]], draw=str(d)) for d in range(2)),
        record([[0.8], [0.9]], shots="5"),
        record([[0.7], [0.7]], shots="5", method="beta"),
    )
    with quiet_style():
        [axes] = shots_figure(table, looks([table.places])).axes
    points = means(axes)
    assert [y for _, y in points["o"]] == pytest.approx([57.5, 85.0])
    assert [y for _, y in points["s"]] == pytest.approx([70.0])  # beta has no mean at one shot
    dots, intervals = axes.collections
    assert sorted(y for _, y in dots.get_offsets()) == pytest.approx([55.0, 60.0, 70.0, 85.0])
    cell = next(r for r in table.rows if r.label == "alpha").cells[table.columns[1]]
    spans = [path.vertices[:, 1].tolist() for path in intervals.get_paths()]
    assert pytest.approx([100 * cell.dice.low, 100 * cell.dice.high]) in spans
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "5"]


def test_pareto_figure_has_a_line_of_panels_for_each_machine(tmp_path: Path) -> None:
    [table] = tables(
        tmp_path,
        record([[0.5], [0.6]], seconds=100, pretraining_seconds=20),
        record([[0.5], [0.6]], seconds=110, pretraining_seconds=20, draw="1"),
        record([[0.8], [0.8]], method="beta", seconds=5, on=machine("bbbb2222", device="gpu")),
        record([[0.8], [0.8]], method="beta", seconds=90, draw="1"),
    )
    style = looks([table.places])
    with quiet_style():
        slow, memory, fast, unknown = pareto_figure(table, style).axes
    alpha, beta = (style["method", name].marker for name in ("alpha", "beta"))
    assert means(slow)[alpha] == [pytest.approx((126.0, 55.0))]  # and a second for two predictions
    assert means(memory)[alpha] == [pytest.approx((512.0, 55.0))]
    assert not unknown.lines  # nobody measured that accelerator's memory
    # beta ran on both machines: its draws are shown, its mean belongs to neither
    assert means(slow)[beta] == means(fast)[beta] == []
    assert [tuple(p) for p in fast.collections[0].get_offsets()] == [pytest.approx((6.0, 80.0))]
    assert "aaaa1111" in slow.get_ylabel()
    assert "bbbb2222" in fast.get_ylabel()


def test_seconds_are_logarithmic_only_where_methods_differ_widely(tmp_path: Path) -> None:
    close, wide = (
        tables(
            tmp_path / name,
            record(seconds=100),
            record(method="beta", seconds=other),
            record(method="control_x", block="control", seconds=0.0),
        )[0]
        for name, other in (("close", 90), ("wide", 4000))
    )
    with quiet_style():
        assert pareto_figure(close, looks([close.places])).axes[0].get_xscale() == "linear"
        assert pareto_figure(wide, looks([wide.places])).axes[0].get_xscale() == "symlog"


@pytest.mark.parametrize("seconds", [100.0, 4000.0])
def test_nothing_lies_beyond_an_axis(tmp_path: Path, seconds: float) -> None:
    """Panels share their axes: the last one may hold the highest, the lowest and the longest."""
    [table] = tables(
        tmp_path,
        record([[0.5], [0.55]], seconds=90),
        record([[0.5], [0.55]], shots="5", seconds=95),
        record([[0.9], [0.95]], shots="10", seconds=seconds),
        record([[0.1], [0.2]], shots="10", method="beta", seconds=5, draw="0"),
        record([[0.3], [0.4]], shots="10", method="c", block="control", seconds=2 * seconds),
    )
    with quiet_style():
        style = looks([table.places])
        for figure in (shots_figure(table, style), pareto_figure(table, style)):
            for axes in figure.axes:
                left, right = axes.get_xlim()
                low, high = axes.get_ylim()
                for points in means(axes).values():
                    assert all(left < x < right and low < y < high for x, y in points)
                for intervals in axes.collections[1:]:
                    ends = [y for path in intervals.get_paths() for y in path.vertices[:, 1]]
                    assert all(low < y < high for y in ends)


def test_a_unit_by_itself(tmp_path: Path) -> None:
    scores = {"a/1": [0.8, "both"], "b/1": [0.4, 0.2], "c/1": ["both", "both"]}
    [table] = tables(tmp_path, record(scores, classes=("organ", "tumour")))
    assert unit_dice(table.units[0]) == pytest.approx((0.6 + 0.2) / 2)


def test_nothing_scored_still_draws(tmp_path: Path) -> None:
    found = tables(tmp_path, record([["both"]]))
    assert np.isnan(unit_dice(found[0].units[0]))
    assert [name.split("-")[-1] for name, _ in files_of(found)[found[0].key.id].values()] == [
        *("shots.svg", "pareto.svg")
    ]


def test_tables_without_a_done_unit_have_no_figure(tmp_path: Path) -> None:
    assert files_of(tables(tmp_path, record(reason="crash"))) == {}


@pytest.mark.parametrize(
    "name", ["_hidden", "$x^2$", "a$b", "<script>&amp;", "x" * 300, "naïve\nsecond line"]
)
def test_any_name_gives_a_well_formed_file(tmp_path: Path, name: str) -> None:
    scores = [[0.5], [0.7], [0.6]]
    made = [record(scores, method="m", overrides={"note": name}), record(scores, method="m")]
    found = tables(tmp_path, *made)
    drawn = files_of(found)[found[0].key.id]
    assert {name.split("-")[-1] for name, _ in drawn.values()} >= {"ranks.svg", "pairs.svg"}
    for _, svg in drawn.values():
        ElementTree.fromstring(svg)
        assert "<script" not in svg
        assert "Date" not in svg
    with quiet_style():
        figure = shots_figure(found[0], looks([table.places for table in found]))
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(shown) == 2
    assert all(len(text) <= 36 for text in shown)


def test_many_rows_stand_in_a_list(tmp_path: Path) -> None:
    """A line a row, a panel a shot count; the marks are the means, the bars their intervals."""
    rows = [
        record([[n / 100], [n / 50]], method=f"m{n:02d}", shots=s)
        for n in range(1, 14)
        for s in "15"
    ]
    [table] = tables(tmp_path, *rows, record([[0.6], [0.9]], method="m05", shots="5", draw="1"))
    with quiet_style():
        figure = shots_figure(table, looks([table.places]))
    one, five = figure.axes
    labels = [text.get_text() for text in one.get_yticklabels()]
    assert sorted(labels) == [f"m{n:02d}" for n in range(1, 14)]
    marks = {
        line.get_ydata()[0]: line.get_xdata()[0]
        for line in one.lines
        if line.get_marker() != "None"
    }
    assert marks[labels.index("m10")] == pytest.approx(15.0)
    bars = {
        tuple(line.get_ydata()): line.get_xdata()
        for line in one.lines
        if line.get_marker() == "None"
    }
    place = labels.index("m10")
    cell = next(row for row in table.rows if row.label == "m10").cells[table.columns[0]]
    assert bars[place, place] == pytest.approx([100 * cell.dice.low, 100 * cell.dice.high])
    [dots] = five.collections
    drawn = sorted(x for x, y in dots.get_offsets() if round(y - 0.22) == labels.index("m05"))
    assert drawn == pytest.approx([7.5, 75.0])


def test_thirty_rows_look_different_in_grey(tmp_path: Path) -> None:
    names = [f"method_{number:02d}" for number in range(30)]
    found = tables(tmp_path, *(record(method=name) for name in names))
    style = looks([table.places for table in found])
    assert len({(look.colour, look.marker) for look in style.values()}) == 30
    for first, second in itertools.pairwise(names):
        one, two = style["method", first], style["method", second]
        assert one.marker != two.marker
        assert one.line != two.line
    with quiet_style():
        figure = pareto_figure(found[0], style)
    entries = 30 * 0.18  # inches: the legend fits the figure
    assert figure.get_figheight() >= entries


def test_controls_are_grey_and_hollow(tmp_path: Path) -> None:
    [table] = tables(
        tmp_path, record(), record(method="control_x", block="control"), record(method="c2")
    )
    look = looks([table.places])["control", "control_x"]
    assert not look.filled
    assert float(look.colour) < 0.7
    assert looks([table.places])["method", "alpha"].filled


def test_file_names_are_harmless(tmp_path: Path) -> None:
    found = tables(tmp_path, record(copy_name="../../La 2018, h5/crop", budget="a b"))
    names = [name for name, _ in files_of(found)[found[0].key.id].values()]
    assert names == [
        f"la-2018-h5-crop-a-b-{found[0].key.id}-{kind}.svg"
        for kind in ("shots", "pareto", "classes")
    ]


def test_the_best_rows_share_no_colour(tmp_path: Path) -> None:
    """By place, not by name: `zz` leads and nineteen names come before it in the alphabet."""
    names = [f"m{number:02d}" for number in range(19)]
    found = tables(
        tmp_path,
        record([[0.9]], method="zz"),
        *(record([[0.8 - i / 100]], method=name) for i, name in enumerate(names)),
    )
    style = looks([table.places for table in found])
    best = ["zz", *names[:6]]
    assert [row.label for row in found[0].block("method")[:7]] == best
    assert len({style["method", name].colour for name in best}) == 7
