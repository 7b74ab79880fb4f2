"""Times of events as censored data, and costs shared out over target tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.board.ledger import ledgers
from bench.board.reading import read_units
from bench.board.tables import Column, tables_of
from bench.board.times import times_of
from bench.record.schema import Record
from tests.board.factory import machine, moment, record, save


def curved(
    *, draw: str, targets: dict[str, float | None], converged: float | None, **kwargs: Any
) -> Record:
    """Probed at epochs 10 and 20; `targets` in epochs."""
    whole = record(draw=draw, converged=converged, censored=None if converged else 20.0, **kwargs)
    data = whole.model_dump()
    data["curve"] = [
        {**moment(epochs), "loss": 1.0, "dice": 0.5, "classes": {"organ": 0.5}}
        for epochs in (10.0, 20.0)
    ]
    data["convergence"]["targets"] = {
        level: None if at is None else moment(at) for level, at in targets.items()
    }
    return Record.model_validate(data)


def test_times_to_target_are_kaplan_meier_medians(tmp_path: Path) -> None:
    """0.5: reached at 2, 4, 6: median 4. 0.7: one of three, so >20. Converged: 10, 15, >20."""
    save(
        tmp_path,
        curved(draw="0", targets={"0.5": 2.0, "0.7": 12.0}, converged=10.0),
        curved(draw="1", targets={"0.5": 4.0, "0.7": None}, converged=15.0),
        curved(draw="2", targets={"0.5": 6.0, "0.7": None}, converged=None),
    )
    [table] = tables_of(read_units(tmp_path))
    found = {t.event: t for t in times_of(table.rows[0].cells[Column("1", "")].units)}
    assert list(found) == ["converged", "0.5", "0.7"]
    half, level = found["0.5"], found["0.7"]
    assert (half.epochs.value, half.epochs.beyond, half.epochs.unreached) == (4.0, False, 0)
    assert (half.steps.value, half.samples.value) == (40.0, 80.0)
    assert half.seconds is not None
    assert half.seconds.value == 4.0
    assert (level.epochs.value, level.epochs.beyond, level.epochs.unreached) == (20.0, True, 2)
    assert (found["converged"].epochs.value, found["converged"].epochs.unreached) == (15.0, 1)


def test_seconds_of_two_machines_are_not_put_together(tmp_path: Path) -> None:
    fast = machine("bbbb2222", device="gpu")
    save(
        tmp_path,
        curved(draw="0", targets={"0.5": 2.0}, converged=10.0),
        curved(draw="1", targets={"0.5": 4.0}, converged=12.0, on=fast),
    )
    [table] = tables_of(read_units(tmp_path))
    found = times_of(table.rows[0].cells[Column("1", "")].units)
    assert [t.seconds for t in found] == [None, None]
    assert found[0].epochs.value == 11.0


def test_an_event_that_not_all_units_have_is_left_out(tmp_path: Path) -> None:
    save(
        tmp_path,
        curved(draw="0", targets={"0.5": 2.0}, converged=10.0),
        curved(draw="1", targets={"0.5": 2.0, "0.9": 4.0}, converged=10.0),
        record(method="untrained"),
    )
    [table] = tables_of(read_units(tmp_path))
    by_label = {row.label: row.cells[Column("1", "")].units for row in table.rows}
    assert [t.event for t in times_of(by_label["alpha"])] == ["converged", "0.5"]
    assert times_of(by_label["untrained"]) == []


def test_pre_training_is_shared_out(tmp_path: Path) -> None:
    """40 s before, 100 s of adaptation, two test cases of 0.5 s each."""
    save(
        tmp_path,
        *(
            record([[0.5], [0.6]], draw=str(d), seconds=100.0 + d, pretraining_seconds=40.0)
            for d in range(3)
        ),
        record([[0.5], [0.6]], draw="3", seconds=7.0, on=machine("bbbb2222")),
    )
    [table] = tables_of(read_units(tmp_path))
    slow, fast = ledgers(table.rows[0].cells[Column("1", "")])
    assert (slow.units, slow.cases, slow.inference) == (3, 2, 1.0)
    assert (slow.pretraining, slow.adaptation) == (40.0, 101.0)
    assert slow.amortised == {1: 142.0, 5: 110.0, 20: 104.0}
    assert (fast.units, fast.pretraining) == (1, 0.0)
    assert fast.amortised == pytest.approx({1: 8.0, 5: 8.0, 20: 8.0})
