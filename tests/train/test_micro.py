"""Out of memory: smaller parts, the same batch, the same random numbers."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.train.micro import MicroBatches, out_of_memory
from bench.train.random_state import random_state, set_random_state

CPU = torch.device("cpu")
DEVICE_FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
HOST_FULL = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")


class Memory:
    """A network with dropout that has room for `room` samples; what it was given."""

    def __init__(self, room: int, error: BaseException = DEVICE_FULL) -> None:
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Linear(4, 16), nn.Dropout(0.5), nn.Linear(16, 1))
        self.optimiser = torch.optim.SGD(self.network.parameters(), lr=0.1)
        self.room, self.error, self.seen = room, error, list[int]()

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        self.seen.append(len(x))
        output = self.network(x)
        random.random(), np.random.random()
        if len(x) > self.room:
            raise self.error
        return ((output - y) ** 2).mean()

    def micro(self, size: int) -> MicroBatches:
        return MicroBatches(loss=self.loss, device=CPU, precision="fp32", size=size)

    def gradient(self) -> Tensor:
        return torch.cat(
            [p.grad.flatten() for p in self.network.parameters() if p.grad is not None]
        )


def batch(count: int = 8) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(count, 4, generator=generator), torch.randn(count, 1, generator=generator)


@pytest.mark.parametrize("error", [DEVICE_FULL, HOST_FULL, MemoryError()])
def test_it_halves_until_it_fits(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """And then is what it would have been with that size at once, dropout and all."""
    tight, roomy = Memory(2, error), Memory(8)
    torch.manual_seed(9)
    first = tight.micro(8)
    value = first.backward(batch(), tight.optimiser)
    after = torch.rand(1)
    torch.manual_seed(9)
    assert value == roomy.micro(2).backward(batch(), roomy.optimiser)
    assert torch.equal(after, torch.rand(1))
    assert torch.equal(tight.gradient(), roomy.gradient())
    assert tight.seen == [8, 4, 2, 2, 2, 2]
    assert first.size == 2
    assert [message.split(" (")[0] for message in caplog.messages] == [
        "8 samples at once are too many",
        "4 samples at once are too many",
    ]
    assert caplog.messages[0].endswith("now 4")


def test_it_stays_at_what_fitted() -> None:
    memory = Memory(3)
    micro = memory.micro(8)
    for _ in range(2):
        micro.backward(batch(), memory.optimiser)
    assert memory.seen == [8, 4] + [2] * 8


def test_a_failure_in_the_middle_of_a_batch_leaves_nothing_behind() -> None:
    """Parts that had passed are not counted twice."""
    memory, roomy = Memory(8), Memory(8)
    calls = 0

    def loss(x: Tensor, y: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise DEVICE_FULL
        return memory.loss(x, y)

    torch.manual_seed(9)
    micro = MicroBatches(loss=loss, device=CPU, precision="fp32", size=4)
    value = micro.backward(batch(), memory.optimiser)
    torch.manual_seed(9)
    assert value == roomy.micro(2).backward(batch(), roomy.optimiser)
    assert torch.equal(memory.gradient(), roomy.gradient())


def test_one_sample_that_does_not_fit_is_an_error() -> None:
    memory = Memory(0)
    with pytest.raises(torch.OutOfMemoryError):
        memory.micro(4).backward(batch(), memory.optimiser)
    assert memory.seen == [4, 2, 1]


def test_a_size_beyond_the_batch_is_no_waste() -> None:
    memory = Memory(2)
    memory.micro(64).backward(batch(4), memory.optimiser)
    assert memory.seen == [4, 2, 2]


def test_another_error_is_not_tried_again() -> None:
    memory = Memory(0, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        memory.micro(4).backward(batch(), memory.optimiser)
    assert memory.seen == [4]


def test_real_and_other_errors_are_told_apart() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**55)
    assert out_of_memory(caught.value)
    assert not out_of_memory(RuntimeError("out of range"))
    assert not out_of_memory(ValueError("out of luck"))


def test_random_numbers_come_again() -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.random()), torch.rand(1).item()

    state = random_state(CPU)
    first = draw()
    assert draw() != first
    set_random_state(state)
    assert draw() == first
