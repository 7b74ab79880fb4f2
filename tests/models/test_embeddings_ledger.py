"""A phase costs the same with a cold cache and a warm one."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.models.embeddings import Account, Ledger, current_ledger, image_inputs
from tests.models.embedding_toys import RECIPE, Encoder, cache_in, encoded, pictures


def slow(images: Tensor) -> Tensor:
    time.sleep(0.02 * len(images))
    return encoded(images)


def test_a_hit_owes_what_it_cost_when_it_was_computed(tmp_path: Path) -> None:
    inputs = image_inputs(pictures(4))
    with Ledger().use() as cold:
        first = cache_in(tmp_path).embed(slow, inputs, recipe=RECIPE, batch=2).account
    with Ledger().use() as warm:
        second = cache_in(tmp_path).embed(slow, inputs, recipe=RECIPE, batch=2).account
    assert (first.hits, first.misses, first.owed_seconds) == (0, 4, 0.0)
    assert 0.08 <= first.computed_seconds < 2
    assert (second.hits, second.misses, second.computed_seconds) == (4, 0, 0.0)
    assert second.owed_seconds == pytest.approx(first.computed_seconds, abs=1e-12)
    assert (cold.account, warm.account) == (first, second)
    assert (first.state, second.state) == ("cold", "warm")


def test_nobody_pays_twice(tmp_path: Path) -> None:
    """A phase that needs an embedding again does not encode it again, cold or warm."""
    cache, inputs = cache_in(tmp_path), image_inputs(pictures(3))
    ledgers = [Ledger(), Ledger()]
    for ledger in ledgers:
        with ledger.use():
            for _ in range(3):
                cache.embed(slow, inputs, recipe=RECIPE)
    cold, warm = (ledger.account for ledger in ledgers)
    assert (cold.hits, cold.misses, cold.owed_seconds) == (0, 3, 0.0)
    assert (warm.hits, warm.misses) == (3, 0)
    assert warm.owed_seconds == pytest.approx(cold.computed_seconds, abs=1e-12)


def test_the_part_that_others_computed_is_owed(tmp_path: Path) -> None:
    images = pictures(4)
    cache_in(tmp_path).embed(slow, image_inputs(images[:1]), recipe=RECIPE)
    with Ledger().use() as ledger:
        cache_in(tmp_path).embed(slow, image_inputs(images), recipe=RECIPE)
    account = ledger.account
    assert (account.hits, account.misses, account.state) == (1, 3, "mixed")
    assert account.owed_seconds >= 0.02
    assert account.computed_seconds >= 0.06


def test_looking_between_two_steps_pays_nothing_for_the_phase(tmp_path: Path) -> None:
    """A probe computes an embedding that the training needs later: the training owes it."""
    cache, inputs = cache_in(tmp_path), image_inputs(pictures(2))
    training, probe = Ledger(), Ledger()
    with probe.use():
        computed = cache.embed(slow, inputs, recipe=RECIPE).account.computed_seconds
    with training.use():
        cache.embed(slow, inputs, recipe=RECIPE)
    assert training.account.owed_seconds == pytest.approx(computed, abs=1e-12)
    assert probe.account.owed_seconds == 0.0


def test_what_is_owed_is_owed_once() -> None:
    ledger = Ledger()
    ledger.enter(found={"a": 1.0, "b": 2.0}, computed={"c": 5.0})
    assert ledger.account.owed_seconds == 3.0
    ledger.enter(found={"b": 2.0, "c": 5.0, "d": 0.5}, computed={})
    assert ledger.account == Account(hits=3, misses=1, computed_seconds=5.0, owed_seconds=3.5)


def test_a_damaged_or_removed_one_is_paid_for_as_it_is_computed() -> None:
    ledger = Ledger()
    ledger.enter(found={}, computed={"a": 1.0})
    ledger.enter(found={}, computed={"a": 2.0})
    ledger.enter(found={"a": 2.0}, computed={})
    assert ledger.account == Account(misses=2, computed_seconds=3.0)


def test_an_unused_cache_says_so() -> None:
    assert Ledger().account.state == "unused"
    assert Account(hits=1, misses=2).state == "mixed"
    assert Account(1, 2, 3.0, 4.0) + Account(10, 20, 30.0, 40.0) == Account(11, 22, 33.0, 44.0)


def test_the_one_before_is_current_again() -> None:
    outside = current_ledger()
    outer, inner = Ledger(), Ledger()

    def fail() -> None:
        with outer.use():
            with inner.use():
                assert current_ledger() is inner
            assert current_ledger() is outer
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert current_ledger() is outside


def test_a_generator_pays_from_the_ledger_of_who_pulls_it(tmp_path: Path) -> None:
    cache = cache_in(tmp_path)

    def work():  # type: ignore[no-untyped-def]
        for seed in range(2):
            yield cache.embed(Encoder(), image_inputs(pictures(2, seed=seed)), recipe=RECIPE)

    pulled, ledgers = work(), [Ledger(), Ledger()]
    for ledger in ledgers:
        with ledger.use():
            next(pulled)
    assert [ledger.account.misses for ledger in ledgers] == [2, 2]


def test_values_do_not_depend_on_who_computed_them(tmp_path: Path) -> None:
    inputs = image_inputs(pictures(3))
    cold = cache_in(tmp_path).embed(Encoder(), inputs, recipe=RECIPE).take()
    warm = cache_in(tmp_path).embed(Encoder(), inputs, recipe=RECIPE).take()
    assert torch.equal(cold, warm)
