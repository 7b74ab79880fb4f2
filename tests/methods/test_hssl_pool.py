"""HSSL's pool: a small dataset is seen as often as a large one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.contract import Volume
from bench.data.slices import Canvas
from bench.errors import RequestError
from methods.hssl.pool import DomainPool


def volume(dataset: str, number: int, slices: int) -> Volume:
    """Slices whose upper half is bright; brighter from slice to slice."""
    image = np.zeros((slices, 16, 16), np.float32)
    image[:, :8] = np.linspace(0.5, 1, slices, dtype=np.float32)[:, None, None]
    name = f"{dataset}/{number}"
    return Volume(name, name, image, (1.0, 1.0, 1.0), dataset=dataset)


@pytest.fixture(scope="module")
def pool() -> DomainPool:
    volumes = [volume("large", n, 20) for n in range(10)] + [volume("small", 0, 8)]
    return DomainPool(volumes, Canvas(16), limit=1000, parts=4)


def test_datasets_are_drawn_alike(pool: DomainPool) -> None:
    assert pool.names == ("large", "small")
    assert len(pool) == 208
    torch.manual_seed(0)
    tasks = pool.gather(pool.choose(4000)).tasks
    assert float((tasks == 1).float().mean()) == pytest.approx(0.5, abs=0.03)


def test_slices_go_with_their_dataset_and_their_part(pool: DomainPool) -> None:
    torch.manual_seed(1)
    drawn = pool.gather(pool.choose(500))
    assert drawn.slices.shape == (500, 1, 16, 16)
    assert sorted(drawn.parts.unique().tolist()) == [0, 1, 2, 3]
    for task, slices in ((0, 20), (1, 8)):
        mine = drawn.tasks == task
        grey = drawn.slices[mine, 0, 0, 0]
        # The window's percentiles move the greys a little, never their order.
        z = ((grey - grey.min()) / (grey.max() - grey.min()) * (slices - 1)).round()
        assert torch.equal(drawn.parts[mine], (z * 4 // slices).long())
        assert len(z.unique()) == slices


def test_the_limit_is_shared_evenly() -> None:
    volumes = [volume("large", n, 20) for n in range(10)] + [volume("small", 0, 8)]
    pool = DomainPool(volumes, Canvas(16), limit=60, parts=4)
    assert [len(part) for part in pool.pools] == [30, 8]


def test_some_slices_are_spread_over_the_dataset(pool: DomainPool) -> None:
    assert pool.some(1, 4).shape == (4, 1, 16, 16)
    assert len(pool.some(1, 100)) == 8
    assert len(pool.some(0, 100)) == 100
    first = pool.some(1, 2)
    assert first[1].max() > first[0].max()


def test_a_dataset_that_shows_nothing_is_refused() -> None:
    dark = replace(volume("dark", 0, 4), image=np.zeros((4, 16, 16), np.float32))
    with pytest.raises(RequestError, match="unlabelled volumes without a slice that shows"):
        DomainPool([volume("large", 0, 4), dark], Canvas(16), limit=10, parts=4)
