"""Prompts lie where they should; what is measured and taught has its hand-computed values."""

from __future__ import annotations

import math

import pytest
import torch

from bench.models.nano.affinity import Affinity, labels_at
from bench.models.nano.dino_task import HEAT, choice
from bench.models.nano.overlap import iou
from bench.models.nano.prompts import box_around, correction, point_in, rough_logits


def rectangle() -> torch.Tensor:
    """Columns 4 to 9, rows 2 to 5 of a 16 x 12 image."""
    mask = torch.zeros(1, 12, 16, dtype=torch.bool)
    mask[0, 2:6, 4:10] = True
    return mask


def test_points_lie_inside_and_reach_every_pixel() -> None:
    mask = rectangle().expand(400, -1, -1)
    point = point_in(mask, torch.Generator().manual_seed(0)).long()
    assert mask[0][point[:, 1], point[:, 0]].all()
    assert len({tuple(p) for p in point.tolist()}) == 24


def test_tight_box_is_exact_and_loose_boxes_stay_in_the_image() -> None:
    generator = torch.Generator().manual_seed(0)
    assert box_around(rectangle(), generator, slack=0.0).tolist() == [[4, 2, 9, 5]]
    loose = box_around(rectangle().expand(200, -1, -1), generator, slack=5.0)
    assert loose.min() >= 0
    assert (loose[:, [0, 2]] <= 15).all()
    assert (loose[:, [1, 3]] <= 11).all()


def test_correction_points_at_the_error_and_says_its_kind() -> None:
    mask = rectangle()
    generator = torch.Generator().manual_seed(0)
    missed = mask.clone()
    missed[0, 2:6, 4] = False
    point, label = correction(missed, mask, generator)
    assert point[0, 0] == 4
    assert label.tolist() == [1.0]
    extra = mask.clone()
    extra[0, 11, 0] = True
    point, label = correction(extra, mask, generator)
    assert point.tolist() == [[0, 11]]
    assert label.tolist() == [0.0]
    point, label = correction(mask, mask, generator)
    assert mask[0, int(point[0, 1]), int(point[0, 0])]
    assert label.tolist() == [1.0]


def test_rough_mask_is_near_the_mask_but_not_the_mask() -> None:
    mask = torch.zeros(8, 64, 64, dtype=torch.bool)
    mask[:, 16:48, 16:48] = True
    rough = rough_logits(mask, 32, torch.Generator().manual_seed(0))[:, 0]
    overlap = iou(rough, mask[:, ::2, ::2].float())
    assert (overlap < 1).all()
    assert overlap.mean() > 0.6


def test_iou_by_hand_and_for_empty_masks() -> None:
    logits = torch.tensor([[1.0, 1.0, -1.0, -1.0]])[None]
    target = torch.tensor([[1.0, 0.0, 1.0, 0.0]])[None]
    assert iou(logits, target).tolist() == pytest.approx([1 / 3])
    assert iou(-torch.ones(1, 2, 2), torch.zeros(1, 2, 2)).tolist() == [1.0]


def test_affinity_is_low_for_telling_features_and_high_for_misleading_ones() -> None:
    helper = Affinity(width=4, codes=4)
    torch.nn.init.eye_(helper.project.weight)
    torch.nn.init.zeros_(helper.project.bias)
    label = torch.tensor([[0, 0, 1, 1]])
    good = torch.eye(4)[label]
    bad = torch.eye(4)[torch.tensor([[0, 1, 0, 1]])]
    low = float(helper(good, good, label, label).detach())
    # scale 5, offset -2.5: logits +-2.5, and every pair right.
    assert low == pytest.approx(math.log1p(math.exp(-2.5)), rel=1e-5)
    assert float(helper(bad, bad, label, label).detach()) > 10 * low


def test_labels_are_read_at_patch_centres() -> None:
    label = torch.arange(64).view(1, 8, 8)
    assert labels_at(label, 2).tolist() == [[18, 22, 50, 54]]


def test_choice_is_cross_entropy_over_cosines() -> None:
    teacher = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    right = math.log1p(math.exp(-1 / HEAT))
    assert float(choice(teacher * 7, teacher)) == pytest.approx(right, rel=1e-4)
    assert float(choice(teacher.flip(0), teacher)) == pytest.approx(right + 1 / HEAT, rel=1e-4)
