"""A whole unit under each kind of confinement: equal scores, and the record says which it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.check.lab import steps_budget
from bench.unit.isolation import available_isolation
from bench.unit.life import confined
from bench.worker import landlock, namespaces
from tests.unit.conftest import MakeLab, make_lab  # noqa: F401

CASES = [f"case{number}" for number in range(5)]


@pytest.mark.parametrize("isolation", ["landlock", "namespace", "none"])
def test_a_unit(
    make_lab: MakeLab,  # noqa: F811
    isolation: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if isolation == "landlock" and not landlock.abi():
        pytest.skip("this kernel has no Landlock")
    if isolation == "namespace" and not namespaces.available():
        pytest.skip("this user may make no namespaces here")
    lab = make_lab("learns")
    store = lab.store("all", lab.volumes)

    def unit(run: str) -> object:
        return lab.unit(
            store,
            support=CASES[:2],
            probe=CASES[2:3],
            test=CASES[3:],
            budget=steps_budget(6, probes=2),
            run=run,
        )

    inline = lab.run(unit("inline")).record  # type: ignore[arg-type]
    monkeypatch.setattr("bench.unit.worker.available_isolation", lambda: isolation)
    record = replace(lab, workers=confined).run(unit("confined")).record  # type: ignore[arg-type]
    assert record.harness is not None
    assert inline.harness is not None
    assert (record.harness.isolation, inline.harness.isolation) == (isolation, "none")
    assert [case.classes for case in record.cases] == [case.classes for case in inline.cases]
    assert [point.dice for point in record.curve] == [point.dice for point in inline.curve]
    assert record.harness.cpu_seconds
    assert record.harness.worker_seconds is not None
    assert not list(Path(store.folder).parent.glob("**/worker-*"))


def test_the_best_that_there_is_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for abi, spaces, expected in (
        (7, True, "landlock"),
        (0, True, "namespace"),
        (0, False, "none"),
    ):
        available_isolation.cache_clear()
        monkeypatch.setattr(landlock, "abi", lambda abi=abi: abi)
        monkeypatch.setattr(namespaces, "available", lambda spaces=spaces: spaces)
        assert available_isolation() == expected
    available_isolation.cache_clear()
