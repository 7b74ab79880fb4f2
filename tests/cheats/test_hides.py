"""Work is charged, whenever it is done, or the unit fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.record.schema import Record
from tests.cheats.conftest import Cheats, records_of
from tests.cheats.fates import HIDES

SECONDS = 1.0
"""Of CPU that each of them works."""

ALIKE = ("child", "slow_clock")
"""Close to others: these run where cheats run one by one."""
QUICK = tuple(name for name in HIDES if name not in ALIKE)


@pytest.fixture(scope="module")
def found(cheats: Cheats, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    results = tmp_path_factory.mktemp("hidden") / "results"
    done = cheats.run(*(f"hides_{name}" for name in QUICK), results=results)
    assert done.code == 1
    found = records_of(results)
    assert len(found) == len(QUICK)
    return found


@pytest.mark.parametrize("name", QUICK)
def test_it_comes_to_its_fate(found: dict[str, Record], name: str) -> None:
    held(found, name)


@pytest.mark.long
def test_so_do_the_others(cheats: Cheats, tmp_path: Path) -> None:
    cheats.run(*(f"hides_{name}" for name in ALIKE), results=tmp_path / "results")
    for name in ALIKE:
        held(records_of(tmp_path / "results"), name)


def held(found: dict[str, Record], name: str) -> None:
    record, fate = found[f"hides_{name}"], HIDES[name]
    if fate.kind == "refused" or (fate.line and record.status == "failed"):
        assert record.status == "failed"
        assert record.cases == []
        assert fate.matches(record.reason), record.reason
        return
    assert record.status == "done", record.reason
    assert record.adaptation.seconds >= SECONDS
    assert record.harness is not None
    assert record.harness.cpu_seconds is not None
    assert record.harness.cpu_seconds >= SECONDS


def test_steps_are_what_the_method_says(found: dict[str, Record]) -> None:
    """Not prevented: under a budget of steps it works on, and its record says how long."""
    assert found["hides_no_steps"].adaptation.steps == 0
    assert found["hides_no_steps"].adaptation.ended == "method"


def test_the_honest_one_has_its_account(found: dict[str, Record]) -> None:
    """What its process counted is what the harness did, and nothing happened beside it."""
    record = found["hides_nothing"]
    assert record.harness is not None
    assert record.harness.worker_seconds == pytest.approx(record.adaptation.seconds, rel=0.05)
    assert record.harness.background_cpu_seconds is not None
    assert record.harness.background_cpu_seconds < 0.1
