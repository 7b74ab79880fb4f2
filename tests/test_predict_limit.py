"""How long one volume may take: by the records of its data set, or by the user's word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.errors import RequestError
from bench.predict_limit import (
    FACTOR,
    LEAST,
    UNKNOWN,
    check_predict_limit,
    seconds_a_volume,
    with_predict_limit,
)
from tests.unit.test_handover import make_unit


def write(folder: Path, name: str, seconds: list[float], *, device: str = "cpu") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cases = [{"seconds": value} for value in seconds]
    content = {"machine": {"device": device}, "cases": cases}
    (folder / f"{name}.json").write_text(json.dumps(content))


def limit(results: Path, given: float | None = None, device: str = "cpu") -> float | None:
    unit = make_unit(support=[]).model_copy(update={"results": str(results), "device": device})
    (found,) = with_predict_limit([unit], given)
    return found.predict_limit


def test_twenty_times_the_median_of_the_rows(tmp_path: Path) -> None:
    folder = tmp_path / "records" / "toy" / "alpha"
    for name, seconds in (("a", [4.0, 5.0, 6.0]), ("b", [10.0]), ("c", [1000.0])):
        write(folder, name, seconds)
    assert limit(tmp_path) == FACTOR * 10.0


def test_a_minute_is_always_allowed(tmp_path: Path) -> None:
    write(tmp_path / "records" / "toy" / "alpha", "a", [0.01])
    assert limit(tmp_path) == LEAST


def test_another_device_says_nothing(tmp_path: Path) -> None:
    write(tmp_path / "records" / "toy" / "alpha", "a", [50.0], device="an old GPU")
    assert limit(tmp_path) == UNKNOWN
    assert limit(tmp_path, device="cuda") == FACTOR * 50.0


def test_without_a_row_or_with_broken_ones_it_is_half_an_hour(tmp_path: Path) -> None:
    assert limit(tmp_path) == UNKNOWN
    folder = tmp_path / "records" / "toy" / "alpha"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text("{")
    (folder / "b.json").write_text("[]")
    (folder / ".c.json").write_text("half written")
    assert seconds_a_volume(folder.parent, cuda=False) == []
    assert limit(tmp_path) == UNKNOWN


def test_the_user_s_word(tmp_path: Path) -> None:
    write(tmp_path / "records" / "toy" / "alpha", "a", [50.0])
    assert limit(tmp_path, 7.5) == 7.5
    assert check_predict_limit("auto") is None
    assert check_predict_limit(90) == 90.0


@pytest.mark.parametrize("value", [0, -1, True, "long", None, float("nan"), 1e12])
def test_what_is_no_limit_is_refused(value: object) -> None:
    with pytest.raises(RequestError, match=r"^predict_limit=.*: seconds for one volume, above 0"):
        check_predict_limit(value)
