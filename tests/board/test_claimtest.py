"""Effects of claims: differences and ratios with intervals, epochs with censored runs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bench.board.cells import Cell
from bench.board.claimtest import Effect, epochs_ratio, score_effect
from bench.board.reading import read_units
from bench.board.tables import tables_of
from bench.record.schema import Record
from tests.board.factory import record, save

INF = float("inf")


def cells(results: Path, *records: Record) -> dict[str, Cell]:
    save(results, *records)
    [table] = tables_of(read_units(results))
    return {row.label: next(iter(row.cells.values())) for row in table.rows}


def test_a_difference_is_the_paired_t_test_at_any_level(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    first, second = random.uniform(0.3, 0.9, (2, 9)).round(3)
    found = cells(
        tmp_path, record([[x] for x in first]), record([[x] for x in second], method="beta")
    )
    effect = score_effect(
        found["alpha"], found["beta"], score="dice", kind="difference", alpha=0.01
    )
    expected = stats.ttest_rel(first, second).confidence_interval(0.99)
    assert effect is not None
    assert effect.value == pytest.approx((first - second).mean())
    assert (effect.low, effect.high) == pytest.approx((expected.low, expected.high))


def test_a_ratio_is_that_of_the_means(tmp_path: Path) -> None:
    """The delta method against a bootstrap of the ratio."""
    random = np.random.default_rng(1)
    second = random.uniform(0.3, 0.5, 200).round(3)
    first = (1.5 * second + random.normal(0, 0.05, 200)).clip(0, 1).round(3)
    found = cells(
        tmp_path, record([[x] for x in first]), record([[x] for x in second], method="beta")
    )
    effect = score_effect(found["alpha"], found["beta"], score="dice", kind="ratio", alpha=0.05)
    drawn = stats.bootstrap(
        (first, second),
        lambda a, b, axis: a.mean(axis=axis) / b.mean(axis=axis),
        paired=True,
        vectorized=True,
        method="percentile",
        rng=2,
    ).confidence_interval
    assert effect is not None
    assert effect.value == pytest.approx(first.mean() / second.mean())
    assert (effect.low, effect.high) == pytest.approx((drawn.low, drawn.high), abs=0.004)


def test_a_ratio_to_nothing_has_no_interval(tmp_path: Path) -> None:
    found = cells(tmp_path, record([[0.5], [0.6]]), record([[0.0], [0.0]], method="beta"))
    effect = score_effect(found["alpha"], found["beta"], score="dice", kind="ratio", alpha=0.05)
    assert effect is not None
    assert effect == Effect(None, None, None, 1, 2)
    assert effect.outcome(1.5, None) == "open"


@pytest.mark.parametrize(
    ("low", "high", "above", "below", "outcome"),
    [
        (0.1, 0.2, 0.0, None, "holds"),
        (-0.1, 0.2, 0.0, None, "open"),
        (-0.2, -0.1, 0.0, None, "fails"),
        (-0.1, 0.0, 0.0, None, "fails"),
        (0.0, 0.0, 0.0, None, "open"),  # equal throughout
        (0.02, 0.09, None, 0.1, "holds"),
        (0.1, 0.4, None, 0.1, "fails"),
        (0.0, INF, None, 0.1, "open"),
        (None, None, 0.0, None, "open"),
    ],
)
def test_sure_only_on_one_side_of_the_bound(
    low: float | None, high: float | None, above: float | None, below: float | None, outcome: str
) -> None:
    assert Effect(0.1, low, high, 3, 10).outcome(above, below) == outcome


def timed(method: str, *epochs: float | None) -> list[Record]:
    """A draw each; None did not converge in 20 epochs."""
    return [
        record(method=method, draw=str(d), converged=at, censored=20.0 if at is None else None)
        for d, at in enumerate(epochs)
    ]


def test_epochs_by_hand(tmp_path: Path) -> None:
    """Ratios 0.1, 0.2, 0.4: the mean logarithm is that of 0.2; its interval is the t interval."""
    found = cells(tmp_path, *timed("alpha", 1.0, 2.0, 4.0), *timed("beta", 10.0, 10.0, 10.0))
    effect = epochs_ratio(found["alpha"], found["beta"], alpha=0.05)
    logs = np.log([0.1, 0.2, 0.4])
    low, high = stats.t.interval(0.95, 2, loc=logs.mean(), scale=stats.sem(logs))
    assert effect is not None
    assert effect.value == pytest.approx(0.2)
    assert (effect.low, effect.high) == pytest.approx((math.exp(low), math.exp(high)))


def test_a_second_run_that_never_converged_bounds_from_above(tmp_path: Path) -> None:
    """beta needed more than 20 epochs: the ratios are less than 0.05, 0.06, 0.05."""
    found = cells(tmp_path, *timed("alpha", 1.0, 1.2, 1.0), *timed("beta", None, None, None))
    effect = epochs_ratio(found["alpha"], found["beta"], alpha=0.05)
    assert effect is not None
    assert effect.value is None
    assert effect.low == 0.0
    assert effect.high is not None
    assert effect.high < 0.1
    assert effect.outcome(None, 0.1) == "holds"
    turned = epochs_ratio(found["beta"], found["alpha"], alpha=0.05)
    assert turned is not None
    assert turned.high == INF
    assert turned.outcome(None, 0.1) == "fails"


def test_runs_that_never_converged_on_both_sides_say_nothing(tmp_path: Path) -> None:
    found = cells(tmp_path, *timed("alpha", None, 2.0), *timed("beta", None, 4.0))
    effect = epochs_ratio(found["alpha"], found["beta"], alpha=0.05)
    assert effect is not None
    assert (effect.value, effect.low, effect.high) == (None, 0.0, INF)
    assert effect.outcome(None, 0.1) == "open"


def test_without_a_curve_or_with_one_draw(tmp_path: Path) -> None:
    found = cells(tmp_path, record(), record(method="beta", converged=4.0))
    assert epochs_ratio(found["alpha"], found["beta"], alpha=0.05) is None
    one = cells(tmp_path / "x", *timed("alpha", 2.0), *timed("beta", 4.0))
    effect = epochs_ratio(one["alpha"], one["beta"], alpha=0.05)
    assert effect is not None
    assert (effect.value, effect.low) == (pytest.approx(0.5), None)
