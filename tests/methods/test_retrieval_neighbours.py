"""Which slices are shown: similarity, other patients only, empty ones, order."""

from __future__ import annotations

import pytest
import torch

from methods.retrieval.neighbours import chosen, ranked

PRESENT = torch.tensor([[True, False], [False, False], [True, True], [False, True]])


def test_slices_are_ranked_by_cosine_whatever_their_length() -> None:
    pool = torch.tensor([[5.0, 0.0], [0.1, 0.1], [0.0, 1.0], [-1.0, 0.0]])
    query = torch.tensor([[1.0, 0.2], [0.0, 9.0]])
    everyone = torch.ones(4, dtype=torch.bool)
    assert ranked(query, pool, everyone).tolist() == [[0, 1, 2, 3], [2, 1, 0, 3]]
    # L2 between unit vectors gives the same order.
    unit = torch.nn.functional.normalize
    far = torch.cdist(unit(query, dim=1), unit(pool, dim=1))
    assert far.argsort(dim=1)[0].tolist() == [0, 1, 2, 3]


def test_slices_that_are_not_allowed_are_never_ranked() -> None:
    pool, query = torch.eye(4), torch.eye(4)
    allowed = torch.tensor([True, False, True, False])
    assert ranked(query, pool, allowed)[1].tolist() == [0, 2]
    assert ranked(query, pool, torch.zeros(4, dtype=torch.bool)).shape == (4, 0)


def test_of_equally_similar_slices_the_first_of_the_pool_comes_first() -> None:
    pool = torch.ones(40, 3)
    assert ranked(torch.ones(1, 3), pool, torch.ones(40, dtype=torch.bool))[0].tolist() == [
        *range(40)
    ]


def test_the_nearest_is_last_and_empty_ones_stay() -> None:
    assert chosen([[2, 0, 1, 3]], PRESENT, k=3) == [[(1, 0, 2), (1, 0, 2)]]
    first = chosen([[2, 0, 1, 3]], PRESENT, k=3, order="nearest_first")
    assert first == [[(2, 0, 1), (2, 0, 1)]]


def test_empty_ones_can_be_left_out_for_each_class() -> None:
    assert chosen([[2, 0, 1, 3]], PRESENT, k=3, keep_empty=False) == [[(0, 2), (2,)]]


@pytest.mark.parametrize(("keep", "second"), [(True, (3, 1, 0)), (False, (3,))])
def test_a_class_that_none_shows_is_empty_or_gets_its_nearest(
    keep: bool, second: tuple[int, ...]
) -> None:
    ranking = [[0, 1, 3, 2]]
    kept = (1, 0) if keep else (0,)
    assert chosen(ranking, PRESENT, k=2, keep_empty=keep) == [[kept, ()]]
    assert chosen(ranking, PRESENT, k=2, keep_empty=keep, absent="extend") == [[kept, second]]


def test_a_class_that_nobody_shows_is_empty_with_every_option() -> None:
    nobody = torch.zeros(4, 1, dtype=torch.bool)
    assert chosen([[0, 1, 2, 3]], nobody, k=2, absent="extend") == [[()]]


def test_a_pool_smaller_than_k_is_shown_whole() -> None:
    assert chosen([[3, 2]], PRESENT, k=16) == [[(2, 3), (2, 3)]]
    assert chosen([[]], PRESENT, k=16) == [[(), ()]]
