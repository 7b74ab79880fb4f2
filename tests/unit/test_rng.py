"""A stream of its own: the method's draws and everybody else's never touch each other."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from bench.unit.rng import RandomStream

Draws = tuple[float, float, float]


def draw() -> Draws:
    """One number of each global generator."""
    return torch.rand(1).item(), float(np.random.rand()), random.random()


@pytest.fixture(autouse=True)
def _own_state() -> Iterator[None]:
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    yield
    torch.set_rng_state(before[0])
    np.random.set_state(before[1])
    random.setstate(before[2])


def drawn_alone(seed: int, count: int) -> list[Draws]:
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    return [draw() for _ in range(count)]


def test_the_stream_is_that_of_its_seed_whatever_happens_outside() -> None:
    expected = drawn_alone(7, 6)
    stream = RandomStream(7)
    got = []
    for turn in range(6):
        for _ in range(turn):
            draw()  # a probe draws in between
        if turn == 3:
            torch.manual_seed(0)  # and seeds, too
        with stream.use():
            got.append(draw())
    assert got == expected


def test_the_outside_goes_on_as_if_the_stream_had_never_been() -> None:
    expected = drawn_alone(3, 4)
    drawn_alone(3, 0)
    got = []
    for _ in range(4):
        with RandomStream(9).use():
            draw()
            torch.manual_seed(1)
            np.random.seed(1)
            random.seed(1)
        got.append(draw())
    assert got == expected


def test_other_seeds_draw_otherwise() -> None:
    firsts = set()
    for seed in range(5):
        with RandomStream(seed).use():
            firsts.add(draw())
    assert len(firsts) == 5
    assert all(len({first[kind] for first in firsts}) == 5 for kind in range(3))


def test_two_streams_do_not_meet() -> None:
    one, two = RandomStream(1), RandomStream(2)
    mixed: list[Draws] = []
    for _ in range(3):
        with one.use():
            mixed.append(draw())
        with two.use():
            draw()
    assert mixed == drawn_alone(1, 3)


def test_it_stands_where_an_exception_left_it() -> None:
    expected = drawn_alone(5, 3)
    outside = drawn_alone(11, 1)
    drawn_alone(11, 0)
    stream = RandomStream(5)

    def fail() -> None:
        with stream.use():
            draw()
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert [draw()] == outside
    with stream.use():
        assert [draw(), draw()] == expected[1:]


def test_a_large_seed_is_taken() -> None:
    with RandomStream(2**40 + 3).use():
        first = draw()
    with RandomStream(2**40 + 3).use():
        assert draw() == first
