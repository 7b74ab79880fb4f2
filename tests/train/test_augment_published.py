"""The published codes' views: how often which, that labels stay on their image, exact cases."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import Tensor

from bench.protocol import UNLABELLED
from bench.train import augment_crops
from bench.train.augment_crops import corner_shifts, cropped_views, crops, displacements, smoothing
from bench.train.augment_turns import quarter_turns, rotations, turned_views
from bench.train.warp import warped

Views = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def pictures(count: int, side: int = 64) -> tuple[Tensor, Tensor]:
    """Smooth greys; a pixel's label is its grey in eight steps, so they can be held together."""
    y, x = torch.meshgrid(*(torch.linspace(0, 1, side),) * 2, indexing="ij")
    grey = 0.5 + 0.25 * torch.sin(5 * x + 1) + 0.24 * torch.cos(7 * y - 3 * x)
    labels = (grey * 8).floor().to(torch.uint8)
    return grey.expand(count, 1, -1, -1), labels.expand(count, -1, -1)


@pytest.mark.parametrize("views", [turned_views, cropped_views])
def test_labels_stay_on_their_image(views: Views) -> None:
    """Where a view's own grey is in the middle of a step, its label is that step."""
    torch.manual_seed(0)
    images, labels = views(*pictures(64))
    step = images[:, 0] * 8
    middle = (step - step.floor() - 0.5).abs() < 0.2
    inside = middle & (images[:, 0] > 0.02)  # not what came in from outside
    assert inside.float().mean() > 0.25

    def share(given: Tensor) -> float:
        return (given[inside] == step[inside].floor()).float().mean().item()

    assert share(labels) > 0.985  # the rest: edges, which are blended with the black outside
    assert share(labels.roll(3, 2)) < 0.9


@pytest.mark.parametrize("views", [turned_views, cropped_views])
def test_what_was_not_labelled_stays_so_and_no_class_is_made_up(views: Views) -> None:
    images, _ = pictures(64)
    labels = torch.zeros(64, 64, 64, dtype=torch.uint8)
    labels[:, 10:50, 10:50] = 7
    labels[:, :, 55:] = UNLABELLED
    torch.manual_seed(0)
    moved, found = views(images, labels)
    assert set(found.unique().tolist()) == {0, 7, UNLABELLED}
    assert (found.dtype, found.shape, moved.shape) == (torch.uint8, labels.shape, images.shape)
    assert torch.equal(labels[0, :, 55:], torch.full((64, 9), UNLABELLED, dtype=torch.uint8))


def test_a_turn_and_a_flip_are_one_of_eight_and_exact() -> None:
    images = torch.rand(1, 1, 6, 6).expand(400, -1, -1, -1)
    labels = torch.arange(36, dtype=torch.uint8).view(1, 6, 6).expand(400, -1, -1)
    torch.manual_seed(0)
    grid = F.affine_grid(F.pad(quarter_turns(400), (0, 1)), [400, 1, 6, 6], align_corners=False)
    moved, found = warped(images, labels, grid, outside=0)
    # A turn and then a flip: four mirror images are each reached by two ways, turns alone never.
    flips = [torch.rot90(labels[0], k).flip(0) for k in range(4)]
    kinds = [[torch.equal(view, flip) for flip in flips].index(True) for view in found]
    assert np.bincount(kinds).min() > 70
    for view, kind in zip(moved, kinds, strict=True):
        expected = torch.rot90(images[0, 0], kind).flip(0)
        torch.testing.assert_close(view[0], expected, rtol=0, atol=1e-5)


def test_rotations_are_by_whole_degrees() -> None:
    torch.manual_seed(0)
    matrices = rotations(2000)
    angle = torch.atan2(matrices[:, 1, 0], matrices[:, 0, 0]) * 180 / math.pi
    assert torch.allclose(angle, angle.round(), atol=1e-3)
    assert sorted(set(angle.round().int().tolist())) == list(range(-20, 20))
    assert torch.allclose(matrices @ matrices.transpose(1, 2), torch.eye(2), atol=1e-6)


def test_how_often_a_slice_is_turned_rotated_or_left() -> None:
    torch.manual_seed(0)
    labels = torch.arange(1, 37, dtype=torch.uint8).view(1, 6, 6).expand(4000, -1, -1)
    _, found = turned_views(torch.zeros(4000, 1, 6, 6), labels)
    mirrored = [torch.rot90(labels[0], k).flip(0) for k in range(4)]
    turned = torch.stack([(found == view).all(dim=(1, 2)) for view in mirrored]).any(dim=0)
    same = (found == labels).all(dim=(1, 2))
    assert turned.float().mean().item() == pytest.approx(0.5, abs=0.03)
    assert 0.25 <= same.float().mean() < 0.40  # rotations by few degrees move none of six pixels


def test_how_often_a_slice_is_rotated_cropped_or_deformed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts: dict[str, int] = {}
    for name in ("crops", "corner_shifts"):
        real = getattr(augment_crops, name)

        def counted(n: int, real: Callable[[int], Tensor] = real, name: str = name) -> Tensor:
            counts[name] = counts.get(name, 0) + n
            return real(n)

        monkeypatch.setattr(augment_crops, name, counted)
    torch.manual_seed(0)
    labels = torch.arange(64, dtype=torch.uint8).view(1, 8, 8).expand(6000, -1, -1)
    _, found = cropped_views(torch.zeros(6000, 1, 8, 8), labels)
    assert counts["crops"] / 6000 == pytest.approx(0.4125, abs=0.02)
    assert counts["corner_shifts"] / 6000 == pytest.approx(0.1169, abs=0.015)
    same = (found == labels).all(dim=(1, 2)).float().mean().item()
    assert 0.02 <= same < 0.2  # the others, and rotations by few degrees


def test_crops_lie_within_the_slice() -> None:
    torch.manual_seed(0)
    theta = crops(3000)
    side, centre = theta[:, 0, 0], theta[:, :, 2]
    assert (side.min() >= 0.2, side.max() <= 0.8) == (True, True)
    assert side.mean().item() == pytest.approx(0.5, abs=0.02)
    assert ((centre.abs() + side[:, None]) <= 1 + 1e-6).all()
    assert centre.abs().max() > 0.7
    assert (theta[:, 0, 1] == 0).all()
    assert torch.equal(theta[:, 1, 1], side)


def test_corner_shifts_take_moved_corners_back() -> None:
    torch.manual_seed(0)
    theta = corner_shifts(500)
    corner = torch.tensor([2 / 3, -2 / 3])
    # The map's inverse says where the corner went: at most 0.08 of the side, which is 0.16 here.
    moved = torch.linalg.solve(theta[:, :, :2], corner - theta[:, :, 2])
    away = (moved - corner).abs()
    assert 0.14 < away.max() <= 0.16 + 1e-5
    assert (moved - corner).mean().abs() < 0.02


@pytest.mark.parametrize(("side", "deviation"), [(50, 4.0), (24, 1.92), (9, 3.0)])
def test_smoothing_is_scipys(side: int, deviation: float) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, (side, side)).astype(np.float32)
    matrix = smoothing(side, deviation)
    found = matrix @ torch.from_numpy(noise) @ matrix.T
    np.testing.assert_allclose(found.numpy(), gaussian_filter(noise, deviation), atol=1e-5)


def test_displacements_are_a_few_pixels_and_smooth() -> None:
    """Uniform noise of deviation 0.577, smoothed by 0.08 W and times 2 W: four pixels inside, at
    any size."""
    torch.manual_seed(0)
    for side in (64, 192):
        pixels = displacements(24, side=side, device=torch.device("cpu")) * (side / 2)
        middle = pixels[:, side // 4 : -side // 4, side // 4 : -side // 4]
        expected = 3**-0.5 / (2 * math.pi**0.5 * 0.08) * 2
        assert middle.std().item() == pytest.approx(expected, rel=0.15)
        assert pixels.diff(dim=1).abs().max() < 6


@pytest.mark.parametrize("views", [turned_views, cropped_views])
def test_a_seed_fixes_them_and_what_was_given_is_left_alone(views: Views) -> None:
    images, labels = (x.clone() for x in pictures(16))
    before = images.clone(), labels.clone()
    results = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        results.append(views(images, labels))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    assert not torch.equal(results[0][0], results[2][0])
    assert torch.equal(images, before[0])
    assert torch.equal(labels, before[1])
    assert 0 <= results[0][0].min() <= results[0][0].max() <= 1
