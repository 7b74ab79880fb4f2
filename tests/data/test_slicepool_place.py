"""Where a pool's slices lie: on the device where they fit, by their measured size."""

from __future__ import annotations

import pytest
import torch

from bench.data import slicepool
from bench.data.slicepool import SlicePool
from bench.data.slices import Canvas
from methods.hssl.pool import DomainPool
from tests.methods.hssl_tiny import drawn, several


@pytest.mark.parametrize("near", [True, False])
def test_it_lies_where_it_fits(monkeypatch: pytest.MonkeyPatch, near: bool) -> None:
    asked: list[tuple[int, str]] = []

    def fits(size: int, device: str) -> bool:
        asked.append((size, device))
        return near

    monkeypatch.setattr(slicepool, "fits", fits)
    pool = SlicePool([drawn(1)], Canvas(16), limit=4, device="meta")
    assert asked == [(4 * 16 * 16 * 2, "meta")]
    assert pool._stack.device.type == ("meta" if near else "cpu")


def test_what_is_gathered_is_half_and_what_is_taken_is_whole() -> None:
    pool = SlicePool([drawn(1)], Canvas(16), limit=4)
    chosen = torch.tensor([2, 0, 2])
    half = pool.gather(chosen)
    assert half.dtype == torch.float16
    assert torch.equal(pool.take(chosen), half.float())
    assert torch.equal(half[0], half[2])


def test_a_batch_of_several_datasets_is_what_was_chosen() -> None:
    """Gathered twice it is the same: nothing is drawn once it is chosen."""
    pool = DomainPool(several(), Canvas(16), limit=30, parts=2)
    torch.manual_seed(0)
    plan = pool.choose(12)
    state = torch.get_rng_state()
    first, again = pool.gather(plan), pool.gather(plan)
    assert torch.equal(state, torch.get_rng_state())
    for one, other in zip(first.tensors, again.tensors, strict=True):
        assert len(one) == 12
        assert torch.equal(one, other)
    assert first.tasks.tolist() == sorted(first.tasks.tolist())
