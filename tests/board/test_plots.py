"""Each kind of picture holds the numbers that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes

from bench.board.figures import Limits, figure_files
from bench.board.plots.classes import classes_figure, fullest
from bench.board.plots.curves import curves_figure, middle_curve
from bench.board.plots.equivalence import equivalence_figure
from bench.board.plots.pairs import pairs_figure
from bench.board.plots.pareto import front
from bench.board.plots.ranks import ranks_figure
from bench.board.plots.style import looks, quiet_style
from bench.board.reading import read_units
from bench.board.statistics import TableStatistics, statistics_of
from bench.board.tables import tables_of
from bench.record.schema import Record
from tests.board.factory import machine, record, save
from tests.board.lifelike import sweep


def statistics(results: Path, *records: Record) -> list[TableStatistics]:
    save(results, *records)
    return [statistics_of(table) for table in tables_of(read_units(results))]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with quiet_style():
        yield


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> TableStatistics:
    [found] = statistics(tmp_path_factory.mktemp("sweep"), *sweep(patients=12))
    return found


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_a_front_by_hand() -> None:
    points = [(10.0, 50.0), (5.0, 40.0), (5.0, 30.0), (20.0, 45.0), (30.0, 60.0)]
    assert front(points) == [(5, 40), (10, 40), (10, 50), (30, 50), (30, 60)]
    assert front([]) == []


def curve(*dice: float | None, pace: float) -> list[dict[str, object]]:
    return [
        {
            "epochs": float(n),
            "steps": 10 * n,
            "samples": 10 * n,
            "seconds": pace * n,
            "loss": None,
            "dice": value,
            "classes": {},
        }
        for n, value in enumerate(dice, 1)
    ]


def test_curves_are_medians_over_draws_probe_by_probe(tmp_path: Path) -> None:
    [found] = statistics(
        tmp_path,
        record(curve=curve(0.1, 0.5, pace=2.0)),
        record(curve=curve(0.2, 0.6, pace=3.0), draw="1"),
        record(curve=curve(0.6, 0.9, 0.95, pace=7.0), draw="2"),
        record(method="beta", curve=curve(0.3, pace=1.0)),
        *(record(method="still", draw=str(d)) for d in range(3)),
    )
    seconds, steps = curves_figure(found.table, looks([found.table.places])).axes
    middle = {str(line.get_marker()): line.get_xydata() for line in seconds.lines}
    assert middle["o"] == pytest.approx(np.array([[3.0, 20.0], [6.0, 60.0]]))
    assert steps.lines[0].get_xydata() == pytest.approx(np.array([[10.0, 20.0], [20.0, 60.0]]))
    thin = steps.collections[0].get_segments()
    assert [len(line) for line in thin] == [2, 2, 3]
    names = [text.get_text() for text in seconds.figure.legends[0].get_texts()]
    assert sorted(names) == ["alpha", "beta"]  # what has no curve is not there


def test_a_dozen_curves_at_most(tmp_path: Path) -> None:
    [found] = statistics(
        tmp_path,
        *(record([[n / 100]], method=f"m{n:02d}", curve=curve(0.1, pace=1.0)) for n in range(15)),
    )
    figure = curves_figure(found.table, looks([found.table.places]))
    assert "the first 12 of 15 rows" in figure.texts[0].get_text()
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [f"m{n:02d}" for n in range(14, 2, -1)]


def test_seconds_of_two_machines_have_no_median(tmp_path: Path) -> None:
    [found] = statistics(
        tmp_path,
        record(curve=curve(0.1, 0.5, pace=2.0)),
        record(curve=curve(0.2, 0.6, pace=3.0), draw="1", on=machine("bbbb2222")),
    )
    seconds, steps = curves_figure(found.table, looks([found.table.places])).axes
    assert (len(seconds.lines), len(steps.lines)) == (0, 1)
    assert len(seconds.collections[0].get_segments()) == 2


def test_a_middle_curve_ends_where_the_shortest_does() -> None:
    long, short = np.ones((5, 3)), np.full((2, 3), 3.0)
    assert middle_curve([long, short]).tolist() == [[2, 2, 2], [2, 2, 2]]


def test_without_a_curve_there_is_no_figure(tmp_path: Path) -> None:
    [found] = statistics(tmp_path, record())
    assert curves_figure(found.table, looks([found.table.places])) is None
    assert ranks_figure(found) is None
    assert pairs_figure(found) is None
    assert equivalence_figure(found.table) is None


def test_ranks_have_rings_dots_and_letters(swept: TableStatistics) -> None:
    panels = ranks_figure(swept).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["1 shot", "5 shot", "10 shot"]
    column = list(swept.columns.values())[2]
    labels = [text.get_text() for text in panels[0].get_yticklabels()]
    dots, rings = panels[2].collections[1:]
    for x, y in rings.get_offsets():
        standing = column.standings[labels[int(y)]]
        assert x == standing.ranks.rank
        areas = [
            size / 90
            for (_, row), size in zip(dots.get_offsets(), dots.get_sizes(), strict=True)
            if row == y
        ]
        assert sum(areas) == pytest.approx(1, abs=0.05)  # nearly every time a rank is shown
    assert sorted(texts(panels[2])) == sorted(s.letters for s in column.standings.values())


def test_pairs_show_the_effect_of_those_that_differ(swept: TableStatistics) -> None:
    panel = pairs_figure(swept).axes[0]
    column = swept.table.columns[0]
    pairs = [p for p in swept.pairs if p.family == "ranked" and p.column == column]
    shown = texts(panel)
    assert len(shown) == len(pairs)
    assert shown.count("~") == sum(not pair.differ for pair in pairs) > 0
    sizes = sorted(f"{abs(100 * pair.comparison.effect):.0f}" for pair in pairs if pair.differ)
    assert sorted(text.removeprefix("-") for text in shown if text != "~") == sizes


def test_pairs_say_which_way(tmp_path: Path) -> None:
    """At one shot beta is better, at five, which orders the table, alpha."""
    low, high = ([[base + 0.01 * p] for p in range(12)] for base in (0.5, 0.7))
    [found] = statistics(
        tmp_path,
        *(record(low, draw=str(d)) for d in range(3)),
        *(record(high, draw=str(d), method="beta") for d in range(3)),
        *(record(high, shots="5", draw=str(d)) for d in range(3)),
        *(record(low, shots="5", draw=str(d), method="beta") for d in range(3)),
    )
    one, five = pairs_figure(found).axes
    assert (texts(one), texts(five)) == (["-20"], ["20"])


def test_classes_show_every_patient(swept: TableStatistics) -> None:
    table = swept.table
    assert fullest(table).label == "10"
    panels = classes_figure(table, looks([table.places])).axes
    assert [axes.get_title(loc="left") for axes in panels] == list(table.key.classes)
    labels = [text.get_text() for text in panels[0].get_yticklabels()]
    row = next(row for row in table.rows if row.label == "samora")
    units = row.cells[fullest(table)].units
    expected = 100 * np.mean([unit.dice[:, 1] for unit in units], axis=0)
    [dots] = panels[1].collections
    place = labels.index("samora")
    here = [x for x, y in dots.get_offsets() if abs(y - place) < 0.5]
    assert sorted(here) == pytest.approx(sorted(expected))


def test_equivalence_by_hand(tmp_path: Path) -> None:
    """beta reaches alpha's 50 with 1 label halfway from 1 to 100 on the logarithm: with 10."""
    [found] = statistics(
        tmp_path,
        record([[0.5], [0.5]]),
        record([[0.4], [0.4]], method="beta"),
        record([[0.7], [0.7]], shots="100"),
        record([[0.6], [0.6]], shots="100", method="beta"),
    )
    one, hundred = equivalence_figure(found.table).axes
    assert texts(one) == ["10", "≤1"]
    assert texts(hundred) == [">100", "10"]


def test_only_the_largest_tables_have_all_figures(tmp_path: Path) -> None:
    found = statistics(
        tmp_path,
        *(record([[0.5], [0.6]], draw=str(d)) for d in range(2)),
        record([[0.5], [0.6]], dataset="small"),
        record(dataset="failed", reason="crash"),
    )
    names = {one.table.key.id: one.table.key.dataset for one in found}

    def sizes(limits: Limits | None) -> dict[str, int]:
        return {names[key]: len(drawn) for key, drawn in figure_files(found, limits).items()}

    assert sizes(None) == {"small": 3, "toy": 3}
    assert sizes(Limits(units=3, tables=1)) == {"small": 3, "toy": 3}
    assert sizes(Limits(units=2, tables=2)) == {"small": 1, "toy": 3}
    assert sizes(Limits(units=0, tables=0)) == {"toy": 3}  # the largest always
