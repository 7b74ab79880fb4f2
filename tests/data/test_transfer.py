"""Copies to a device, constants that are made once, and how much may lie there."""

from __future__ import annotations

import pytest
import torch

from bench.data.transfer import constant, fits, free_bytes, pinned, to_device

GB = 2**30
CUDA = torch.device("cuda:0")


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """A card of 80 GB of which others have 20, and this process 10, 4 of them unused."""
    card = {"free": 50 * GB, "total": 80 * GB, "used": 6 * GB, "reserved": 10 * GB, "cap": 1.0}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (card["free"], card["total"]))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: card["used"])
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: card["reserved"])
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda _: card["cap"])
    return card


def test_what_is_free_is_also_what_the_process_holds_unused(memory: dict[str, float]) -> None:
    assert free_bytes(CUDA) == 54 * GB
    memory["cap"] = 0.2  # of 80 GB: 16, of which 6 are used
    assert free_bytes(CUDA) == 10 * GB
    memory["cap"] = 0.05
    assert free_bytes(CUDA) == 0


def test_data_may_take_a_quarter_of_it(memory: dict[str, float]) -> None:
    assert fits(54 * GB // 4, CUDA)
    assert not fits(54 * GB // 4 + 1, CUDA)
    assert not fits(1, "cpu")


def test_on_a_cpu_nothing_is_copied() -> None:
    x = torch.arange(3)
    assert to_device(x, "cpu") is x
    assert pinned(x, "cpu") is x


def test_a_constant_is_made_once() -> None:
    with torch.inference_mode():
        first = constant((1.0, 2.0), torch.float32, torch.device("cpu"))
    assert constant((1.0, 2.0), torch.float32, torch.device("cpu")) is first
    assert first.tolist() == [1.0, 2.0]
    weight = torch.ones(2, requires_grad=True)
    (weight * first).sum().backward()  # what was made while predicting may be trained with
    assert weight.grad is not None
    assert weight.grad.tolist() == [1.0, 2.0]
