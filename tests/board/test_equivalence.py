"""Label equivalence on curves whose crossings are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.board.equivalence import Equivalence, equivalences, reached_at, sentence
from bench.board.reading import read_units
from bench.board.tables import tables_of
from bench.record.schema import Record
from tests.board.factory import record, save

SHOTS = np.array([1.0, 4.0, 16.0])
INF = float("inf")


def reached(curve: list[float], wanted: list[float]) -> list[float]:
    return list(reached_at(SHOTS, np.array([curve]), np.array([wanted]))[0])


def test_interpolated_on_the_logarithm() -> None:
    """Half way up from 1 to 4 on a log scale is 2; a quarter up from 4 to 16 is 4 * 2 ** 0.5."""
    assert reached([0.2, 0.6, 0.8], [0.4, 0.65, 0.6, 0.8]) == pytest.approx(
        [2.0, 4 * 2**0.5, 4.0, 16.0]
    )


def test_never_reached_and_there_from_the_start() -> None:
    assert reached([0.2, 0.6, 0.8], [0.81, 0.1, 0.2]) == [INF, 1.0, 1.0]


def test_a_curve_that_falls_counts_at_its_first_crossing() -> None:
    assert reached([0.2, 0.6, 0.4], [0.5, 0.7]) == pytest.approx([4**0.75, INF])
    assert reached([0.5, 0.2, 0.6], [0.4]) == [1.0]


def test_against_numpy_on_rising_curves() -> None:
    random = np.random.default_rng(0)
    curves = np.sort(random.uniform(0, 1, (50, 3)), axis=1)
    wanted = random.uniform(curves[:, :1], curves[:, -1:], (50, 4))
    expected = [np.exp(np.interp(w, c, np.log(SHOTS))) for w, c in zip(wanted, curves, strict=True)]
    np.testing.assert_allclose(reached_at(SHOTS, curves, wanted), expected)


def curve(method: str, means: dict[str, float], **kwargs: object) -> list[Record]:
    """Ten patients apart from one another, two draws a little apart."""
    level = np.linspace(-0.05, 0.05, 10)
    return [
        record(
            [[round(float(mean + x + 0.002 * draw), 4)] for x in level],
            method=method,
            shots=shots,
            draw=str(draw),
            **kwargs,
        )
        for shots, mean in means.items()
        for draw in range(2)
    ]


def found(results: Path, *records: Record) -> dict[tuple[str, float, str], Equivalence]:
    save(results, *records)
    [table] = tables_of(read_units(results))
    return {(e.row.label, e.shots, e.other.label): e for e in equivalences(table)}


def test_from_records(tmp_path: Path) -> None:
    every = found(
        tmp_path,
        *curve("alpha", {"1": 0.5, "5": 0.7}),
        *curve("beta", {"1": 0.3, "5": 0.5, "50": 0.6}),
        *curve("single", {"5": 0.6}),
        *curve("control_x", {"1": 0.1, "5": 0.1}, block="control"),
    )
    assert {key[0] for key in every} == {"alpha", "beta", "single"}
    assert {key[2] for key in every} == {"alpha", "beta"}  # one count is no line
    one = every["alpha", 1.0, "beta"]
    assert one.value == pytest.approx(5.0)
    assert one.low < 5.0 < one.high < 50.0  # the draws move both rows apart
    assert every["alpha", 5.0, "beta"].value == INF
    assert every["beta", 1.0, "alpha"].value == 1.0
    assert sentence([one])[0].startswith("alpha with 1 = beta with 5 [")
    assert sentence([every["alpha", 5.0, "beta"]]) == [
        "alpha with 5 = beta with not reached (more than 50) "
        "[not reached (more than 50), not reached (more than 50)]"
    ]
    assert sentence([every["beta", 1.0, "alpha"]]) == [
        "beta with 1 = alpha with at most 1 [at most 1, at most 1]"
    ]


def test_patients_that_are_good_for_both_do_not_widen_it(tmp_path: Path) -> None:
    """Patients are drawn once for both rows: what is common to all rows cancels."""
    every = found(
        tmp_path,
        *(r for r in curve("alpha", {"1": 0.5, "4": 0.6}) if r.request.draw == "0"),
        *(r for r in curve("beta", {"1": 0.4, "4": 0.5, "16": 0.6}) if r.request.draw == "0"),
    )
    one = every["alpha", 1.0, "beta"]
    assert (one.low, one.value, one.high) == pytest.approx((4.0, 4.0, 4.0))


def test_shares_slices_and_named_draws_have_no_common_line(tmp_path: Path) -> None:
    every = found(
        tmp_path,
        *(
            r
            for method in ("alpha", "beta")
            for r in curve(method, {"1": 0.5, "5%": 0.6, "10%": 0.7, "20s": 0.6})
        ),
        record(shots="5", draw="published"),
    )
    assert {(key[1], e.kind) for key, e in every.items()} == {(5.0, "%"), (10.0, "%")}


def test_failed_units_alone_give_nothing(tmp_path: Path) -> None:
    assert found(tmp_path, record(reason="crash"), record(method="beta", reason="crash")) == {}
