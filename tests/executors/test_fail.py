"""The record of a unit whose process could not write one: it says what the unit ran on, which need
not be the machine that writes it."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from bench.executors.claim import fail
from bench.record.store import read_record
from bench.unit import trail
from bench.unit.machine import describe_machine
from bench.unit.spec import Unit
from bench.unit.trail import Trail, path_of

from .conftest import MakeUnit

NODE = describe_machine("cpu", 4).model_copy(
    update={"fingerprint": "f" * 12, "cpu": "the node's", "device": "H100", "device_memory_gb": 80}
)


def seen(monkeypatch: pytest.MonkeyPatch, properties: Any) -> None:
    """What torch says here of a GPU."""

    def answer(device: str) -> Any:
        if isinstance(properties, BaseException):
            raise properties
        return properties

    torch = SimpleNamespace(cuda=SimpleNamespace(get_device_properties=answer))
    monkeypatch.setitem(sys.modules, "torch", torch)


@pytest.fixture
def unit(make_unit: MakeUnit) -> Unit:
    return make_unit().model_copy(update={"device": "cuda", "threads": 4})


NO_GPU = AssertionError("Torch not compiled with CUDA enabled")
ANOTHER = SimpleNamespace(name="the login node's own", total_memory=2 * 2**30)


@pytest.mark.parametrize("here", [NO_GPU, ANOTHER])
def test_it_died_on_another_machine(
    unit: Unit, monkeypatch: pytest.MonkeyPatch, here: object
) -> None:
    with monkeypatch.context() as there:
        there.setattr(trail, "machine_of", lambda unit: NODE)
        Trail(unit).begin()
    seen(monkeypatch, here)
    assert fail(unit, "its job 7 ended").kind == "failed"
    assert read_record(path_of(unit)).machine == NODE


@pytest.mark.parametrize("here", [NO_GPU, ANOTHER])
def test_it_died_before_its_trail(
    unit: Unit, monkeypatch: pytest.MonkeyPatch, here: object
) -> None:
    """Nobody knows its GPU: it goes by the name that was asked for."""
    seen(monkeypatch, here)
    fail(unit, "its process ended")
    machine = read_record(path_of(unit)).machine
    assert (machine.device, machine.device_memory_gb, machine.threads) == ("cuda", None, 4)


def test_a_start_says_where_it_was_made(make_unit: MakeUnit) -> None:
    unit = make_unit()
    Trail(unit).begin()
    assert Trail(unit).machine == describe_machine("cpu", unit.threads)


def test_a_trail_of_an_earlier_version_still_counts(make_unit: MakeUnit) -> None:
    unit = make_unit()
    begun = Trail(unit)
    begun.begin()
    file = begun.folder / "trail.json"
    content = json.loads(file.read_bytes())
    del content["machine"]
    file.write_text(json.dumps(content))
    found = Trail(unit)
    assert (found.machine, len(found.past)) == (None, 1)


@pytest.mark.parametrize("error", [NO_GPU, RuntimeError("Found no NVIDIA driver")])
def test_a_gpu_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """A node whose driver fell over: the unit's own error is recorded, by the unit."""
    seen(monkeypatch, error)
    machine = describe_machine("cuda:1", 2)
    assert (machine.device, machine.device_memory_gb) == ("cuda:1", None)


def test_one_that_answers() -> None:
    """The process that used it has said its name."""
    machine = describe_machine("cuda", 2, gpu={"device": "a GPU", "device_memory_gb": 2})
    assert (machine.device, machine.device_memory_gb) == ("a GPU", 2)
    assert machine.fingerprint != describe_machine("cuda", 2).fingerprint
