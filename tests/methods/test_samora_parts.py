"""What stage 1 is fed with: the pool of slices, their views, and shares of the budget."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.contract import Progress, Volume
from bench.data.slicepool import SlicePool
from bench.data.slices import Canvas, volume_slices
from bench.errors import RequestError
from bench.train.share import Share, parts, until_spent
from bench.worker.clock import MethodClock
from methods.samora.views import blurred, contrast_views, noisy
from tests.methods.test_unet import squares
from tests.methods.tiny import blind


def test_slices_are_those_of_the_volume_on_its_own_scale() -> None:
    volumes = [blind(squares(5, seed=1)), blind(squares(3, side=40, seed=2))]
    pool = SlicePool(volumes, Canvas(32), limit=100)
    assert len(pool) == 8
    expected = torch.cat([volume_slices(volume, Canvas(32)) for volume in volumes])
    order = torch.tensor([7, 0, 3, 0])
    for _ in range(2):  # the second time from memory
        torch.testing.assert_close(pool.take(order), expected[order], atol=1e-3, rtol=0)


def test_slices_without_content_are_left_out() -> None:
    given = squares(6)
    image = given.image.copy()
    image[[0, 4]] = image.min()
    pool = SlicePool([Volume("c", "p", image, (1.0, 1.0, 1.0))], Canvas(32), limit=100)
    assert [z for _, z in pool.places] == [1, 2, 3, 5]


def test_a_slice_with_a_twentieth_of_its_pixels_counts() -> None:
    image = np.zeros((3, 100, 100), np.float32)
    image[1, :3] = image[2, :7] = 1  # 3 % and 7 %
    image[0] = 1
    pool = SlicePool([Volume("c", "p", image, (1.0, 1.0, 1.0))], Canvas(32), limit=100)
    assert [z for _, z in pool.places] == [0, 2]


def test_the_limit_is_drawn_from_all_volumes() -> None:
    volumes = [blind(squares(8, seed=seed)) for seed in range(4)]
    torch.manual_seed(0)
    pool = SlicePool(volumes, Canvas(16), limit=10)
    again = SlicePool(volumes, Canvas(16), limit=10)
    assert len(pool) == len(set(pool.places)) == 10
    assert pool.places != again.places
    assert {number for number, _ in pool.places} == {0, 1, 2, 3}
    torch.manual_seed(0)
    assert SlicePool(volumes, Canvas(16), limit=10).places == pool.places


def test_a_pool_that_shows_nothing_is_refused() -> None:
    empty = Volume("c", "p", np.zeros((2, 40, 40), np.float32), (1.0, 1.0, 1.0))
    with pytest.raises(RequestError) as caught:
        SlicePool([empty], Canvas(32), limit=10)
    assert str(caught.value) == (
        "1 unlabelled volumes without a slice that shows anything: each has less than 5% of its "
        "pixels above 5% of its window"
    )


def disc(side: int = 64) -> Tensor:
    """A white disc off the centre, on black."""
    at = torch.linspace(-1, 1, side)
    return (((at[:, None] - 0.2) ** 2 + at**2) < 0.3).float().expand(200, 1, -1, -1)


def test_views_show_the_slice_in_another_way() -> None:
    torch.manual_seed(0)
    given = disc()
    views = contrast_views(given)
    assert views.shape == given.shape
    assert views.min() >= 0
    assert views.max() <= 1 + 1e-6
    same = (views - given).abs().amax((1, 2, 3)) < 0.4
    assert 5 < int(same.sum()) < 100  # half are not turned, 40 % not rotated, half not cropped
    # A turn keeps the disc's area; a crop to at least 60 % enlarges it to at most 1 / 0.36.
    area = (views > 0.5).float().mean((1, 2, 3)) / (given > 0.5).float().mean((1, 2, 3))
    assert float(area.median()) == pytest.approx(1, abs=0.3)
    assert float(area.max()) < 1 / 0.36


def test_a_blur_is_a_gaussian_and_hits_its_share() -> None:
    torch.manual_seed(0)
    point = torch.zeros(400, 1, 9, 9)
    point[:, :, 4, 4] = 1
    found = blurred(point, share=0.3)
    torch.testing.assert_close(found.sum((1, 2, 3)), torch.ones(400))
    hit = found[:, 0, 4, 4] < 1
    assert 0.22 < float(hit.float().mean()) < 0.38
    one = found[hit][0, 0]
    torch.testing.assert_close(one, one.T)
    torch.testing.assert_close(one, one.flip(0))
    # exp(-1 / 2 s^2) and exp(-4 / 2 s^2): the second ratio is the fourth power of the first.
    assert float(one[4, 6] / one[4, 4]) == pytest.approx(
        float(one[4, 5] / one[4, 4]) ** 4, rel=1e-4
    )
    assert torch.equal(blurred(point, share=0.0), point)


def test_noise_has_its_deviation_and_stays_in_range() -> None:
    torch.manual_seed(0)
    grey = torch.full((400, 1, 16, 16), 0.5)
    deviation = (noisy(grey) - grey).std((1, 2, 3))
    sharp = deviation > 0.06
    assert 0.4 < float(sharp.float().mean()) < 0.6
    assert float(deviation[sharp].mean()) == pytest.approx(0.08, rel=0.05)
    assert noisy(torch.ones(4, 1, 16, 16)).max() <= 1 + 1e-6


def endless() -> Iterator[Progress]:
    while True:
        yield Progress(steps=1)


def counted(clock: MethodClock, share: Share) -> int:
    before = clock.steps
    for progress in until_spent(endless(), share):
        clock.count(progress)
    return clock.steps - before


@pytest.mark.parametrize("limit", [5, 20, 50])
def test_equal_shares_of_steps(limit: int) -> None:
    clock = MethodClock(seconds_limit=None, steps_limit=limit)
    taken = [counted(clock, Share(clock, part)) for part in parts([1] * 5)]
    assert taken == [limit // 5] * 5


def test_a_share_sees_its_own_clock() -> None:
    clock = MethodClock(seconds_limit=None, steps_limit=40)
    clock.count(Progress(steps=20))
    share = Share(clock, 0.5)
    assert (share.limited, share.steps, share.step_limit, share.fraction) == (True, 0, 10, 0)
    clock.count(Progress(steps=5))
    assert (share.steps, share.fraction) == (5, 0.5)
    assert clock.fraction == 25 / 40


def test_one_that_runs_over_takes_from_all_that_follow() -> None:
    """Seconds: the first of three overruns its 10 s by 6; the others share what is left."""
    now = [0.0]
    clock = MethodClock(seconds_limit=30.0, steps_limit=None, now=lambda: now[0])
    clock.start()
    ends = []
    for part, pace in zip(parts([1, 1, 1]), (16.0, 1.0, 1.0), strict=True):
        for _ in until_spent(endless(), Share(clock, part)):
            now[0] += pace
        ends.append(now[0])
    assert ends == [16.0, 23.0, 30.0]


def test_without_a_budget_a_share_ends_nothing() -> None:
    clock = MethodClock(seconds_limit=None, steps_limit=None)
    share = Share(clock, 0.2)
    assert (share.limited, share.fraction, share.step_limit) == (False, 0.0, None)
    work = until_spent(iter([Progress()] * 7), share)
    assert len(list(work)) == 7


def test_parts_of_what_is_left() -> None:
    assert parts([1, 1, 2]) == [1 / 4, 1 / 3, 1.0]
