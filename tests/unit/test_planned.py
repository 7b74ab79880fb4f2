"""A unit whose data or code were changed since it was planned ends without a record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.data.store import Store
from bench.executors.events import Event
from bench.executors.inline import Inline
from bench.executors.local import Local
from bench.record.schema import MethodFacts, PoolFacts
from bench.unit.life import run_unit
from bench.unit.planned import pool_store
from bench.unit.spec import PoolSource, Unit
from bench.unit.stop import CHANGED, STOPPED, Changed, Stopped
from bench.unit.trail import path_of
from tests.unit.conftest import MakeLab
from tests.unit.test_life import steps_budget, unit_of


def other_source(unit: Unit) -> Unit:
    facts = unit.method.model_dump() | {"source_sha256": "0" * 64}
    return unit.model_copy(update={"method": MethodFacts(**facts)})


def other_data(unit: Unit) -> Unit:
    return unit.model_copy(update={"data": unit.data.model_copy(update={"fingerprint": "0" * 64})})


def no_store(unit: Unit) -> Unit:
    """As another command leaves it while it converts a corrected file."""
    (Path(unit.store) / "manifest.json").unlink()
    return unit


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_source, "the code of learns was changed since this was planned"),
        (other_data, "the copy of check was changed since this was planned"),
        (no_store, "the copy of check is being prepared again, or was removed"),
    ],
)
def test_it_does_not_begin(make_lab: MakeLab, change: Callable[[Unit], Unit], message: str) -> None:
    lab = make_lab("learns")
    unit = change(unit_of(lab, budget=steps_budget(4)))
    with pytest.raises(Changed) as caught:
        run_unit(unit, lab.registry)
    assert str(caught.value) == f"{message}; type the command again"
    assert not caught.value.saved


def test_the_pool_is_what_was_planned_too(make_lab: MakeLab) -> None:
    lab = make_lab("learns")
    unit = unit_of(lab, budget=steps_budget(4))
    facts = {"dataset": "far", "name": "far", "split_sha256": "", "cases": 1}
    source = PoolSource(dataset="far", store=unit.store, cases=["case0"])

    def opened(fingerprint: str) -> Store:
        pools = [PoolFacts(fingerprint=fingerprint, **facts)]  # type: ignore[arg-type]
        data = unit.data.model_copy(update={"pools": pools})
        return pool_store(unit.model_copy(update={"data": data}), source)

    assert opened(unit.data.fingerprint).manifest.fingerprint == unit.data.fingerprint
    with pytest.raises(Changed, match="the copy of far was changed since this was planned"):
        opened("0" * 64)


@pytest.mark.parametrize("engine", [Inline, Local])
def test_a_sweep_leaves_it_without_a_record(
    make_lab: MakeLab, toys: Path, engine: type[Inline] | type[Local]
) -> None:
    """A failed record would stand under a key that nobody asks for any more."""
    lab = make_lab("learns")
    unit = other_data(unit_of(lab, budget=steps_budget(4)))
    unit = unit.model_copy(update={"include": (str(toys),)})
    events: list[Event] = []
    engine({"jobs": 1, "threads": 1, "timeout": "auto"}).run([unit], events.append)
    assert [event.kind for event in events] == ["started", "stopped"]
    assert "type the command again" in (events[-1].reason or "")
    assert not path_of(unit).exists()


def test_it_has_an_exit_code_of_its_own() -> None:
    assert (Stopped(saved=True).code, Changed("x").code) == (STOPPED, CHANGED)
    assert STOPPED != CHANGED
