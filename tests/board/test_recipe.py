"""A cell's command asks for exactly what its records say."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from bench.board.reading import read_units
from bench.board.recipe import command_of, value_word
from bench.board.tables import tables_of
from bench.record.schema import PoolFacts, Record
from bench.registry import discover
from bench.request.compose import compose_demand
from bench.request.grammar import parse
from tests.board.factory import machine, record, save
from tests.conftest import Bench


def commands(results: Path, *records: Record) -> list[str]:
    save(results, *records)
    return [
        command_of(column, row.cells[column], table.units[0])
        for table in tables_of(read_units(results))
        for row in table.rows
        for column in table.columns
    ]


def test_a_command_by_hand(tmp_path: Path) -> None:
    [command] = commands(
        tmp_path,
        *(record(draw=str(d), seed=s, overrides={"lr": 1e-5}) for d in (10, 2) for s in (0, 3)),
    )
    assert command == (
        "python -m bench run method=alpha method.lr=1e-05 dataset=toy budget=cpu-2min "
        "backbone=nano device=cpu executor.threads=2 shots=1 draw=2,10 seed=0,3"
    )


def test_what_is_not_the_suites_own_is_said(tmp_path: Path) -> None:
    [command] = commands(
        tmp_path,
        record(
            budget_seconds=90,
            copy_name="toy, 3 of 9 cases",
            checkpoints={"sam": "vit_l"},
            val="oracle",
            draw="published",
            on=machine(device="Some GPU"),
        ),
    )
    words = shlex.split(command)[4:]
    assert words == [
        *("method=alpha", "dataset=toy", "budget=cpu-2min", "budget.seconds=90.0"),
        *("backbone=nano", "backbone.sam=vit_l", "val=oracle", "data.partial=true", "device=cuda"),
        *("shots=1", "draw=published"),
    ]


def test_a_pool_that_lacks_cases_is_said(tmp_path: Path) -> None:
    """The copy that was tested may be whole, that of another dataset in the pool not."""
    given = record(overrides={"pool": "other+toy"})
    pool = PoolFacts(
        dataset="other",
        name="other, 3 of 9 cases",
        fingerprint="0" * 64,
        split_sha256="0" * 64,
        cases=2,
    )
    request = given.request.model_copy(update={"pool": ["other", "own"]})
    data = given.data.model_copy(update={"pools": [pool]})
    [command] = commands(tmp_path, given.model_copy(update={"request": request, "data": data}))
    assert {"pool=other,own", "data.partial=true"} < set(shlex.split(command))


@pytest.mark.parametrize(
    "value",
    [
        *(True, False, None, 3, 1e-5, -0.5, "plain", "a-b.c", "two words", "it's", "a,b", "a=b"),
        *("true", "null", "$x", "{a}", '"', "back\\slash", [1, 2], ["a b", "c"], []),
    ],
)
def test_a_value_is_read_back_as_it_was(value: Any) -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    word = f"method.x={value_word(value)}"
    assert OverridesParser.create().parse_override(word).value() == value
    [found] = parse(shlex.split(shlex.quote(word))).values()
    assert len(found) == 1


def test_a_command_composes_to_the_request_it_came_from(tmp_path: Path) -> None:
    made = record(
        method="unet",
        overrides={"lr": 0.003},
        dataset="phantom",
        budget="cpu-1min",
        budget_seconds=60,
        backbone="none",
        shots="5",
        draw="2",
    )
    [command] = commands(tmp_path, made)
    demand = compose_demand(shlex.split(command)[4:], discover(), gpu=False)
    [choice] = demand.choices
    assert (choice.method, choice.dataset) == ("unet", "phantom")
    assert choice.overrides == {"lr": 0.003}
    assert choice.budget.seconds == 60
    assert choice.budget.probes == made.request.budget.probes == 8
    assert (demand.shots, demand.draws, demand.seeds) == (("5",), ("2",), (0,))


def test_a_run_that_is_asked_for_again_is_done_already(bench: Bench, tmp_path: Path) -> None:
    words = ("method=control_nearest", "shots=1", "draw=0,1", "budget=steps-100")
    first = bench("run", *words, "budget.probes=2", "budget.steps=4", f"results={tmp_path}")
    assert first.code == 0, first.err
    [table] = tables_of(read_units(tmp_path))
    [row] = table.rows
    [column] = table.columns
    command = command_of(column, row.cells[column], table.units[0])
    again = bench("run", *shlex.split(command)[4:], f"results={tmp_path}")
    assert "0 units to do, 2 already done" in again.out, command + again.out + again.err
