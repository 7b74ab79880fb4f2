"""Effects of claims: differences and ratios with intervals, epochs with censored runs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench.board.cells import Cell
from bench.board.claimtest import Effect, Kind, epochs_ratio, score_effect
from bench.board.interval import two_level
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


@pytest.mark.parametrize(("kind", "bound"), [("difference", -0.05), ("ratio", 1.5)])
def test_rows_that_are_equal_throughout_are_no_answer(
    tmp_path: Path, kind: Kind, bound: float
) -> None:
    """Whatever the claim's bound: both may have found the same for a reason that has nothing to do
    with it."""
    same = [record([[0.4], [0.6]], method=m, draw=d) for m in ("alpha", "beta") for d in "01"]
    found = cells(tmp_path, *same)
    effect = score_effect(found["alpha"], found["beta"], score="dice", kind=kind, alpha=0.05)
    assert effect is not None
    assert (effect.low, effect.high) == (None, None)
    assert effect.outcome(bound, None) == "open"


@pytest.mark.parametrize(
    ("draws", "patients", "spread"), [(2, 39, 1.0), (3, 39, 1.0), (3, 16, 2.0)]
)
def test_a_claim_of_ten_equal_comparisons_is_rarely_decided(
    draws: int, patients: int, spread: float
) -> None:
    """Bonferroni's tenth of 5 %, where draws move the rows by `spread` patients' deviations."""
    random = np.random.default_rng(3)
    values = random.standard_normal((1000, 10, 1, patients))
    values = values + spread * random.standard_normal((1000, 10, draws, 1))
    values = values + 0.5 * random.standard_normal((1000, 10, draws, patients))
    found = two_level(values)
    decided = np.abs(found.mean) > found.careful_reach(0.05 / 10)
    narrow = stats.t.ppf(1 - 0.05 / 20, found.freedom) * np.sqrt(found.variance)
    assert decided.any(axis=1).mean() <= 0.065
    assert (np.abs(found.mean) > narrow).any(axis=1).mean() > 0.15


def probes(*epochs: float) -> list[dict[str, Any]]:
    """A curve with these probes."""
    parts = ({"epochs": at, "steps": int(at * 10), "samples": 80, "seconds": at} for at in epochs)
    return [{**part, "dice": 0.8, "loss": 0.1, "classes": {"organ": 0.8}} for part in parts]


def timed(
    method: str, *epochs: float | None, every: float = 0.1, seed: int = 0, **more: Any
) -> list[Record]:
    """A draw each; None did not converge in 20 epochs. Probes lie `every` epochs apart."""
    return [
        record(
            method=method,
            draw=str(d),
            seed=seed,
            converged=at,
            censored=20.0 if at is None else None,
            curve=[] if at is None else probes(at - every, at),
            **more,
        )
        for d, at in enumerate(epochs)
    ]


def t_limits(lows: list[float], highs: list[float]) -> tuple[float, float]:
    """Of the t intervals of both logarithms the outer ends."""
    ends = [
        stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
        for values in (np.log(lows), np.log(highs))
    ]
    return math.exp(ends[0][0]), math.exp(ends[1][1])


def test_epochs_by_hand(tmp_path: Path) -> None:
    """Ratios 0.1, 0.2, 0.4: the mean logarithm is that of 0.2. A probe before, all was open yet."""
    found = cells(tmp_path, *timed("alpha", 1.0, 2.0, 4.0), *timed("beta", 10.0, 10.0, 10.0))
    effect = epochs_ratio(found["alpha"], found["beta"], alpha=0.05)
    assert effect is not None
    assert effect.value == pytest.approx(0.2)
    limits = t_limits([0.09, 0.19, 0.39], [1 / 9.9, 2 / 9.9, 4 / 9.9])
    assert (effect.low, effect.high) == pytest.approx(limits)


def test_the_first_probe_says_nothing_of_how_soon(tmp_path: Path) -> None:
    """Both converged at probes 5 epochs apart: 5 may be 0.1, so no ratio is too small."""
    coarse = [*timed("alpha", 5.0, 5.0, every=5.0), *timed("beta", 25.0, 25.0, every=5.0)]
    found = cells(tmp_path, *coarse)
    effect = epochs_ratio(found["alpha"], found["beta"], alpha=0.05)
    assert effect is not None
    assert effect.value == pytest.approx(0.2)
    assert (effect.low, effect.high) == (0.0, pytest.approx(0.25))


def test_seeds_of_a_draw_are_one_answer(tmp_path: Path) -> None:
    """Four equal seeds a draw are no surer than one."""
    once = [*timed("alpha", 1.0, 2.0, 4.0), *timed("beta", 10.0, 10.0, 10.0)]
    again = [
        one
        for seed in range(4)
        for one in (
            *timed("alpha", 1.0, 2.0, 4.0, seed=seed),
            *timed("beta", 10.0, 10.0, 10.0, seed=seed),
        )
    ]
    effects = [
        epochs_ratio(found["alpha"], found["beta"], alpha=0.05)
        for found in (cells(tmp_path / "once", *once), cells(tmp_path / "again", *again))
    ]
    assert effects[0] == effects[1]


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
