"""Prompts from masks: where they lie, that they stay, and what they are on the canvas."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.data.slices import Canvas
from methods.sam_prompt.asking import best_candidates, objects_of, prompts_for
from methods.sam_prompt.prompts import inner_point, loose_box, outer_point, tight_box
from tests.methods.tiny import volume

EVEN = (1.0, 1.0)


def blank(*filled: tuple[slice, slice], shape: tuple[int, int] = (20, 30)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    for part in filled:
        mask[part] = True
    return mask


def test_the_inner_point_is_the_deepest() -> None:
    """A thin bar and a block: the middle of the block, 5 x 5 pixels."""
    mask = blank((slice(2, 4), slice(0, 20)), (slice(10, 15), slice(20, 25)))
    assert inner_point(mask, EVEN) == (22, 12)


def test_the_inner_point_of_a_ring_is_on_the_ring() -> None:
    mask = blank((slice(4, 15), slice(4, 15)))
    mask[6:13, 6:13] = False
    x, y = inner_point(mask, EVEN)
    assert mask[y, x]


def test_beyond_the_image_is_outside() -> None:
    mask = blank((slice(0, 5), slice(0, 9)))
    assert inner_point(mask, EVEN) == (2, 2)  # of equals, the first
    assert inner_point(np.ones((5, 5), bool), EVEN) == (2, 2)


def test_depth_is_in_millimetres() -> None:
    """Three rows of 4 mm: the middle of the bar along its nine columns of 1 mm, not its top."""
    mask = blank((slice(1, 4), slice(1, 10)))
    assert inner_point(mask, EVEN) == (2, 2)
    assert inner_point(mask, (4.0, 1.0)) == (5, 2)


def test_one_pixel_is_enough() -> None:
    mask = blank((slice(7, 8), slice(9, 10)))
    assert inner_point(mask, EVEN) == (9, 7)
    assert tight_box(mask) == (9, 7, 9, 7)
    assert outer_point(mask, EVEN) is not None


@pytest.mark.parametrize("seed", range(5))
def test_the_inner_point_against_all_distances(seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = random.random((12, 14)) < 0.8
    x, y = inner_point(mask, (2.0, 1.0))
    outside = np.argwhere(~np.pad(mask, 1)) - 1

    def depth(row: int, column: int) -> float:
        return float(np.hypot((outside[:, 0] - row) * 2.0, outside[:, 1] - column).min())

    deepest = max(depth(r, c) for r, c in np.argwhere(mask))
    assert mask[y, x]
    assert depth(y, x) == pytest.approx(deepest)


def test_the_outer_point_is_near_and_far_from_the_object() -> None:
    """An L: the hollow corner of its box is further from it than the border around."""
    mask = blank((slice(2, 18), slice(4, 6)), (slice(16, 18), slice(4, 20)))
    x, y = outer_point(mask, EVEN) or (0, 0)
    assert not mask[y, x]
    assert x > 10
    assert y < 10
    x0, y0, x1, y1 = tight_box(mask)
    assert x0 - 4 <= x <= x1 + 4
    assert y0 - 4 <= y <= y1 + 4


def test_an_object_that_fills_its_surroundings_has_no_outer_point() -> None:
    assert outer_point(np.ones((6, 6), bool), EVEN) is None


def test_the_box_is_tight_and_jitter_only_widens_it() -> None:
    mask = blank((slice(3, 9), slice(11, 20)))
    box = tight_box(mask)
    assert box == (11, 3, 19, 8)
    for seed in range(20):
        wide = loose_box(box, 5.0, mask.shape, np.random.default_rng(seed))  # type: ignore[arg-type]
        assert 6 <= wide[0] <= 11
        assert 0 <= wide[1] <= 3
        assert 19 <= wide[2] <= 24
        assert 8 <= wide[3] <= 13
    far = loose_box(box, 1e6, (20, 30), np.random.default_rng(0))
    assert far == (0, 0, 29, 19)


def label() -> np.ndarray:
    found = np.zeros((3, 20, 40), np.uint8)
    found[1, 4:14, 2:12] = 1
    found[1, 5:9, 20:36] = 2
    found[2, 8:12, 8:20] = 2
    return found


def test_every_class_in_every_slice_that_shows_it_is_asked_for() -> None:
    rows = objects_of(volume(label()), classes=3)
    assert [(row.z, row.kind, int(row.mask.sum())) for row in rows] == [
        (1, 0, 100),
        (1, 1, 64),
        (2, 1, 48),
    ]


def test_prompts_lie_on_the_canvas_pixel_centre_on_pixel_centre() -> None:
    """40 x 20 pixels on a canvas of 80: twice as large, so pixel 11 covers 22 and 23."""
    given = volume(label())
    rows = objects_of(given, 2)
    box = prompts_for(rows, given, Canvas(80), prompt="box", jitter=0, seed=0)
    assert box.labels.tolist() == [[2, 3]] * 3
    assert box.boxes is not None
    assert box.boxes[0].tolist() == [2 * 2.5 - 0.5, 2 * 4.5 - 0.5, 2 * 11.5 - 0.5, 2 * 13.5 - 0.5]
    point = prompts_for(rows, given, Canvas(40), prompt="point", jitter=0, seed=0)
    assert point.boxes is None
    assert point.labels.tolist() == [[1]] * 3
    assert [(int(x), int(y)) for ((x, y),) in point.points.tolist()] == [
        inner_point(row.mask, EVEN) for row in rows
    ]
    both = prompts_for(rows, given, Canvas(40), prompt="point_neg", jitter=0, seed=0)
    assert both.labels.tolist() == [[1, 0]] * 3
    assert torch.equal(both.points[:, :1], point.points)


def test_without_room_outside_there_is_no_second_point() -> None:
    given = volume(np.ones((1, 8, 8), np.uint8))
    found = prompts_for(
        objects_of(given, 1), given, Canvas(8), prompt="point_neg", jitter=0, seed=0
    )
    assert found.labels.tolist() == [[1, -1]]


def test_jitter_is_the_same_in_any_batch_and_another_with_another_seed() -> None:
    given = volume(label())
    rows = objects_of(given, 2)

    def boxes(some: slice, seed: int = 0) -> torch.Tensor:
        found = prompts_for(rows[some], given, Canvas(64), prompt="box", jitter=200, seed=seed)
        assert found.boxes is not None
        return found.boxes

    assert torch.equal(boxes(slice(None))[1:], boxes(slice(1, None)))
    assert not torch.equal(boxes(slice(None)), boxes(slice(None), seed=1))
    tight = prompts_for(rows, given, Canvas(64), prompt="box", jitter=0, seed=0).boxes
    assert tight is not None
    # 200 of 1024 px are 12.5 of 64.
    assert ((tight - boxes(slice(None))).abs() <= 12.5 + 1e-4).all()


def test_the_best_of_three_is_the_truly_best() -> None:
    given = volume(label())
    rows = objects_of(given, 2)[:1]
    canvas = Canvas(40)
    true = torch.full((40, 40), -9.0)
    true[4:14, 2:12] = 9
    half = true.clone()
    half[4:9] = -9
    masks = torch.stack([half, -true, true])[None]
    quality = torch.tensor([[0.9, 0.8, 0.1]])
    rated = best_candidates(masks, quality, rows, canvas, candidate="rated")
    best = best_candidates(masks, quality, rows, canvas, candidate="best_of_three")
    assert (int(rated), int(best)) == (0, 2)
