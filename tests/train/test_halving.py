"""Parts are halved while memory runs out, each item is worked on once, and chance is as it was."""

from __future__ import annotations

import pytest
import torch

from bench.train.halving import Halving


def full() -> torch.OutOfMemoryError:
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB.")


def test_every_item_once_in_order_and_the_size_is_kept() -> None:
    tried: list[tuple[int, int]] = []

    def work(part: slice) -> list[int]:
        tried.append((part.start, part.stop))
        if part.stop - part.start > 3:
            raise full()
        return list(range(part.start, part.stop))

    halving = Halving(8, "cpu")
    assert [*halving.parts(work, 7)] == [[0, 1], [2, 3], [4, 5], [6]]
    assert tried[:3] == [(0, 7), (0, 4), (0, 2)]
    assert halving.size == 2
    assert [*halving.parts(work, 2)] == [[0, 1]]


def test_a_failed_try_leaves_no_trace_in_the_random_numbers() -> None:
    def work(part: slice) -> list[float]:
        drawn = torch.rand(part.stop - part.start).tolist()
        if len(drawn) > 2:
            raise full()
        return drawn

    torch.manual_seed(0)
    found = [number for part in Halving(4, "cpu").parts(work, 4) for number in part]
    torch.manual_seed(0)
    assert found == [*torch.rand(2).tolist(), *torch.rand(2).tolist()]


@pytest.mark.parametrize("error", [full(), RuntimeError("shapes differ")])
def test_what_halving_does_not_help_is_raised(error: Exception) -> None:
    def work(part: slice) -> None:
        raise error

    size = 1 if isinstance(error, torch.OutOfMemoryError) else 8
    with pytest.raises(type(error), match=str(error)[:10]):
        list(Halving(size, "cpu").parts(work, 3))
