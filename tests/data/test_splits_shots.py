"""The four forms of `shots=` and what is said about any other."""

from __future__ import annotations

import pytest

from bench.data.splits import parse_shots
from bench.errors import RequestError


@pytest.mark.parametrize(
    ("text", "unit", "amount", "canonical"),
    [
        ("5", "patients", 5, "5"),
        ("05", "patients", 5, "5"),
        ("10%", "percent", 10, "10%"),
        ("2.50%", "percent", 2.5, "2.5%"),
        ("100%", "percent", 100, "100%"),
        ("20s", "slices", 20, "20s"),
        ("all", "all", 0, "all"),
    ],
)
def test_forms(text: str, unit: str, amount: float, canonical: str) -> None:
    shots = parse_shots(text)
    assert (shots.unit, float(shots.amount), str(shots)) == (unit, amount, canonical)


@pytest.mark.parametrize(
    ("share", "train", "count"),
    [("10%", 34, 4), ("10%", 40, 4), ("10%", 41, 5), ("1%", 5, 1), ("100%", 7, 7), ("0.1%", 9, 1)],
)
def test_a_share_rounds_up_and_is_at_least_one(share: str, train: int, count: int) -> None:
    assert parse_shots(share).patients(train) == count


def test_a_share_is_exact() -> None:
    """28 % of 25 is 7; in floating point it is 7.000000000000001, which would round up to 8."""
    assert parse_shots("28%").patients(25) == 7


@pytest.mark.parametrize(
    "text", ["", "five", "-1", "1.5", "1.5s", "5 %", "10%s", "nan", "1e3", "٥"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="is not understood; write a number of patients"):
        parse_shots(text)


@pytest.mark.parametrize("text", ["0", "0s"])
def test_zero_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match=f"shots={text}: at least one labelled"):
        parse_shots(text)


@pytest.mark.parametrize("text", ["0%", "101%"])
def test_a_share_has_limits(text: str) -> None:
    with pytest.raises(RequestError, match=f"shots={text}: a share is more than 0% and at most"):
        parse_shots(text)
