"""The compact letter display: letters are shared exactly by the pairs that were not told apart."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bench.board.letters import letters


def test_by_hand() -> None:
    """Piepho's pattern: the middle row ties with both ends, which differ."""
    assert letters(["x", "y", "z"], {("x", "z")}) == {"x": "a", "y": "ab", "z": "b"}
    assert letters(["x", "y"], set()) == {"x": "a", "y": "a"}
    assert letters(["x", "y"], {("x", "y")}) == {"x": "a", "y": "b"}
    assert letters([], set()) == {}


def test_ends_apart_in_a_chain_of_four() -> None:
    apart = {("w", "y"), ("w", "z"), ("x", "z")}
    assert letters(["w", "x", "y", "z"], apart) == {"w": "a", "x": "ab", "y": "bc", "z": "c"}


@pytest.mark.parametrize("seed", range(20))
def test_shared_exactly_by_tied_pairs(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = [f"row{index}" for index in range(8)]
    pairs = list(itertools.combinations(rows, 2))
    apart = {pair for pair in pairs if random.random() < 0.4}
    found = letters(rows, apart)
    for first, second in pairs:
        assert bool(set(found[first]) & set(found[second])) == ((first, second) not in apart)
    assert found[rows[0]].startswith("a")
    assert letters(rows, sorted(apart, reverse=True)) == found


def test_more_groups_than_the_alphabet_has() -> None:
    rows = [f"{index:02d}" for index in range(30)]
    found = letters(rows, set(itertools.combinations(rows, 2)))
    assert (found["25"], found["26"], found["29"]) == ("z", "a1", "d1")
    assert len(set(found.values())) == 30
