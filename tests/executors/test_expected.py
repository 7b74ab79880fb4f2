"""How long a unit will take, and which units share a job."""

from __future__ import annotations

import pytest

from bench.executors.slurm.expected import COLD, START, UNKNOWN, Expected, bundles, expectations
from bench.record.schema import Record
from bench.record.store import write_record
from bench.unit.spec import Unit
from bench.unit.trail import path_of
from tests.record.conftest import whole

from .conftest import MakeUnit


def record(unit: Unit, wall: float | None, *, device: str = "cpu") -> None:
    """An earlier one of this unit's kind."""
    found = Record.model_validate(whole())
    harness = found.harness
    assert harness is not None
    changes = {
        "key": unit.key,
        "request": unit.request,
        "harness": None if wall is None else harness.model_copy(update={"wall_seconds": wall}),
        "machine": found.machine.model_copy(update={"device": device}),
    }
    write_record(path_of(unit), found.model_copy(update=changes))


def test_the_median_of_earlier_records(make_unit: MakeUnit) -> None:
    for number, wall in enumerate((10.0, 30.0, 20.0, None)):
        record(make_unit(number), wall)
    record(make_unit(7), 9999.0, device="some GPU")
    record(make_unit(8, budget="cpu-1min+seconds"), 9999.0)
    record(make_unit(9, method="other"), 9999.0)
    assert isinstance(make_unit(0).request.budget.name, str)
    (found,) = expectations([make_unit(5)]).values()
    assert found == Expected(START + 20.0, COLD + 2 * 30.0)


def test_without_records_the_budget_says(make_unit: MakeUnit) -> None:
    (found,) = expectations([make_unit(5, seconds=100.0)]).values()
    assert found == Expected(COLD + 150.0, COLD + 300.0)
    (found,) = expectations([make_unit(5, seconds=None)]).values()
    assert found == Expected(None, UNKNOWN)


@pytest.mark.parametrize(
    ("seconds", "most", "sizes"),
    [
        ([10.0] * 6, 30.0, [3, 3]),
        ([10.0] * 6, 29.0, [2, 2, 2]),
        ([10.0, 100.0, 10.0, 10.0], 30.0, [1, 1, 2]),
        ([None, None, 10.0, 10.0, None], 30.0, [1, 1, 2, 1]),
        ([10.0] * 3, 0.0, [1, 1, 1]),
        ([], 30.0, []),
    ],
)
def test_bundles(
    make_unit: MakeUnit, seconds: list[float | None], most: float, sizes: list[int]
) -> None:
    units = [make_unit(number) for number in range(len(seconds))]
    expected = {unit.key: Expected(value, 7.0) for unit, value in zip(units, seconds, strict=True)}
    found = bundles(units, expected, most=most)
    assert [len(bundle.units) for bundle in found] == sizes
    assert [unit for bundle in found for unit in bundle.units] == units
    assert [bundle.limit for bundle in found] == [7.0 * size for size in sizes]
