"""`pool=`: one list for the whole request, its names checked."""

from __future__ import annotations

import pytest

from bench.request.pool import pool_of
from tests.request.conftest import METHOD, Compose, Refuse


def test_without_a_word_it_is_the_datasets_own(compose: Compose) -> None:
    assert compose().pool == ("own",)
    assert compose("pool=own").pool == ("own",)


def test_commas_and_brackets_join_and_never_sweep(compose: Compose) -> None:
    for word in (
        "pool=toy_data,phantom",
        "pool=[toy_data,phantom]",
        "pool=toy_data,phantom,toy_data",
    ):
        demand = compose("method=samora", word)
        assert demand.pool == ("toy_data", "phantom")
        assert len(demand.choices) == 1


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("pool=promis12", "unknown dataset for pool 'promis12'; did you mean promise12?"),
        ("pool=own,la2081", "unknown dataset for pool 'la2081'; did you mean la2018?"),
        ("pool=onw", "unknown dataset for pool 'onw'; did you mean own?"),
        ("pool=", "pool= has no value; for example pool=own"),
        ("pool.size=3", "unknown option 'pool.size'; "),
        ("pools=own", "unknown option 'pools'; did you mean pool?"),
    ],
)
def test_a_mistyped_pool_names_the_nearest(refuse: Refuse, word: str, problem: str) -> None:
    assert refuse("method=samora", word).startswith(problem)


def test_a_pool_that_nobody_would_look_at_is_refused(refuse: Refuse) -> None:
    assert "unlabelled_images" not in METHOD
    assert refuse("method=toy_method,plain_method", "pool=phantom,own") == (
        "pool=phantom,own: no unlabelled image is seen by toy_method, plain_method; leave pool= out"
    )


def test_one_of_several_methods_is_enough(compose: Compose) -> None:
    assert compose("method=toy_method,samora", "pool=phantom").pool == ("phantom",)


@pytest.mark.parametrize(
    ("asked", "dataset", "found"),
    [
        (("own",), "a", ("own",)),
        (("a",), "a", ("own",)),
        (("b", "own", "a"), "a", ("a", "b")),
        (("b", "own"), "c", ("b", "c")),
        (("b",), "a", ("b",)),
    ],
)
def test_the_pool_of_a_unit(asked: tuple[str, ...], dataset: str, found: tuple[str, ...]) -> None:
    assert pool_of(asked, dataset) == found
