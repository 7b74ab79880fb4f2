"""What a record may hold, and what it must not."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from bench.record.schema import SCHEMA_VERSION, BudgetSpec, Phase, Record

Place = tuple[str | int, ...]


def change(raw: dict[str, Any], place: Place, value: Any) -> dict[str, Any]:
    inner: Any = raw
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return raw


def complaint(raw: dict[str, Any]) -> tuple[Place, str]:
    """Where the first problem is, and what kind it is; the same from Python and from JSON."""
    found = []
    for read in (Record.model_validate, lambda r: Record.model_validate_json(json.dumps(r))):
        with pytest.raises(ValidationError) as caught:
            read(raw)
        error = caught.value.errors()[0]
        found.append((error["loc"], error["type"]))
    assert found[0] == found[1]
    return found[0]


def parts(raw: Any, place: Place = ()) -> Iterator[Place]:
    """Where a mapping of fixed keys stands."""
    free = {"options", "dataset_options", "checkpoints", "overrides", "targets", "versions"}
    if isinstance(raw, dict):
        if not (place and (place[-1] in free or place[-1] == "classes")):
            yield place
        for key, value in raw.items():
            yield from parts(value, (*place, key))
    elif isinstance(raw, list):
        for index, value in enumerate(raw):
            yield from parts(value, (*place, index))


def test_a_whole_record_survives_the_way_to_json_and_back(raw: dict[str, Any]) -> None:
    record = Record.model_validate(raw)
    assert Record.model_validate_json(record.model_dump_json()) == record
    assert json.loads(record.model_dump_json()) == raw


def test_a_failed_record_needs_its_identity_alone(raw: dict[str, Any]) -> None:
    identity = ("protocol", "key", "created", "request", "method", "data", "machine", "versions")
    record = Record.model_validate(
        {**{name: raw[name] for name in identity}, "status": "failed", "reason": "timed out"}
    )
    assert (record.schema_version, record.adaptation, record.cases) == (SCHEMA_VERSION, Phase(), [])
    assert (record.convergence, record.throughput, record.harness) == (None, None, None)


def test_a_record_from_before_there_were_pools_had_its_own(raw: dict[str, Any]) -> None:
    del raw["request"]["pool"], raw["data"]["pools"]
    record = Record.model_validate(raw)
    assert (record.request.pool, record.data.pools) == (["own"], [])


def test_unknown_keys_are_refused_in_every_part(raw: dict[str, Any]) -> None:
    places = list(parts(raw))
    assert len(places) > 20
    for place in places:
        text = json.dumps(raw)
        assert complaint(change(json.loads(text), (*place, "colour"), "red")) == (
            (*place, "colour"),
            "extra_forbidden",
        )


NUMBERS: list[Place] = [
    ("adaptation", "seconds"),
    ("adaptation", "epochs"),
    ("adaptation", "overshoot_seconds"),
    ("curve", 0, "loss"),
    ("curve", 0, "dice"),
    ("curve", 0, "classes", "gland"),
    ("convergence", "plateau"),
    ("throughput", "slices_per_second", "median"),
    ("throughput", "cold_seconds"),
    ("cases", 0, "spacing", 1),
    ("cases", 0, "seconds"),
    ("cases", 0, "classes", "gland", "dice"),
    ("cases", 0, "classes", "gland", "hd95"),
    ("cases", 0, "classes", "gland", "assd"),
    ("cases", 0, "classes", "gland", "nsd"),
    ("machine", "memory_gb"),
    ("harness", "overhead_seconds"),
    ("request", "budget", "seconds"),
]


@pytest.mark.parametrize("place", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_is_undefined(raw: dict[str, Any], place: Place, value: float) -> None:
    where, kind = complaint(change(raw, place, value))
    assert where == place
    assert kind in ("finite_number", "greater_than_equal", "less_than_equal")


@pytest.mark.parametrize(
    "place",
    [
        ("protocol",),
        ("adaptation", "steps"),
        ("adaptation", "samples"),
        ("adaptation", "seconds"),
        ("adaptation", "overshoot_seconds"),
        ("adaptation", "overshoot_steps"),
        ("curve", 0, "dice"),
        ("data", "support_slices"),
        ("data", "pool"),
        ("data", "pools", 0, "cases"),
        ("resources", "peak_host_bytes"),
        ("resources", "trainable_parameters"),
        ("throughput", "slices_per_second", "n"),
        ("cases", 0, "seconds"),
        ("cases", 0, "classes", "gland", "tp"),
        ("cases", 0, "classes", "gland", "fp"),
        ("cases", 0, "classes", "gland", "fn"),
        ("cases", 0, "classes", "gland", "iou"),
        ("cases", 0, "classes", "gland", "hd95"),
        ("cases", 0, "classes", "gland", "assd"),
        ("harness", "wall_seconds"),
        ("request", "budget", "probes"),
    ],
)
def test_nothing_that_is_counted_is_negative(raw: dict[str, Any], place: Place) -> None:
    assert complaint(change(raw, place, -1)) == (place, "greater_than_equal")


@pytest.mark.parametrize("name", ["dice", "iou", "nsd"])
def test_shares_end_at_one(raw: dict[str, Any], name: str) -> None:
    place = ("cases", 0, "classes", "gland", name)
    assert complaint(change(raw, place, 1.001)) == (place, "less_than_equal")
    Record.model_validate(change(raw, place, 1.0))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("status",), "running"),
        (("schema_version",), 2),
        (("request", "val"), "test"),
        (("method", "block"), "baseline"),
        (("data", "spacing"), "guessed"),
        (("adaptation", "ended"), "crash"),
        (("cases", 0, "classes", "lesion", "empty"), "yes"),
    ],
)
def test_words_are_of_a_known_list(raw: dict[str, Any], place: Place, value: object) -> None:
    assert complaint(change(raw, place, value)) == (place, "literal_error")


@pytest.mark.parametrize(
    "place", [("key",), ("request", "shots"), ("data", "classes"), ("cases", 0, "shape")]
)
def test_what_must_be_there(raw: dict[str, Any], place: Place) -> None:
    inner: Any = raw
    for step in place[:-1]:
        inner = inner[step]
    del inner[place[-1]]
    assert complaint(raw) == (place, "missing")


def test_counts_are_whole(raw: dict[str, Any]) -> None:
    place = ("cases", 0, "classes", "gland", "tp")
    assert complaint(change(raw, place, 1.5)) == (place, "int_from_float")


def test_a_record_does_not_change(raw: dict[str, Any]) -> None:
    record = Record.model_validate(raw)
    with pytest.raises(ValidationError, match="Instance is frozen"):
        record.status = "failed"
    with pytest.raises(ValidationError, match="Instance is frozen"):
        record.cases[0].classes["gland"].tp = 100


def test_a_budget_without_limits_is_a_recipe() -> None:
    budget = BudgetSpec(name="paper")
    assert (budget.seconds, budget.steps, budget.memory_gb, budget.probes) == (None, None, None, 8)
