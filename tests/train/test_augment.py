"""Random views: image and label move together, and nothing is made up outside."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from bench.protocol import UNLABELLED
from bench.train.augment import random_views

STILL = {"degrees": 0.0, "scale": 0.0, "shift": 0.0, "gamma": 0.0, "noise": 0.0}


def squares(count: int = 24, side: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """A bright square on grey, off the centre, labelled 1; a darker one beside it, labelled 2."""
    images = torch.full((count, 1, side, side), 0.35)
    labels = torch.zeros(count, side, side, dtype=torch.uint8)
    images[:, :, 12:30, 16:36], labels[:, 12:30, 16:36] = 0.9, 1
    images[:, :, 36:52, 30:46], labels[:, 36:52, 30:46] = 0.05, 2
    return images, labels


def views(seed: int, **widths: float) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    return random_views(*squares(), **widths)


def inside(mask: torch.Tensor) -> torch.Tensor:
    """Without a rim of two pixels, where image and label are interpolated differently."""
    filled = F.pad(mask[:, None].float(), (2, 2, 2, 2))
    return -F.max_pool2d(-filled, 5, stride=1)[:, 0] > 0.5


@pytest.mark.parametrize("seed", range(3))
def test_a_square_stays_under_its_label(seed: int) -> None:
    """In every view: bright where 1 is, dark where 2 is, grey where 0 is."""
    images, labels = views(seed, noise=0.0)
    for image, label in zip(images[:, 0], labels, strict=True):
        parts = [image[inside((label == k)[None])[0]] for k in range(3)]
        assert min(len(part) for part in parts) > 60
        # each keeps to one grey of its own: within the view, contrast moves all alike
        assert max((part.max() - part.min()).item() for part in parts) < 0.01
        assert parts[1].mean() > parts[0].mean() + 0.1
        assert parts[2].mean() < parts[0].mean() - 0.05


def test_views_differ_from_each_other() -> None:
    _, labels = views(0)
    assert len({tuple(label.flatten().tolist()) for label in labels}) == len(labels)


def test_nothing_moves_without_leave() -> None:
    images, labels = squares()
    moved, turned = views(0, **STILL)
    assert torch.equal(turned, labels)
    # contrast and brightness stay: an increasing map of the greys, one a view
    for before, after in zip(images, moved, strict=True):
        greys = [after[before == value] for value in (0.05, 0.35, 0.9)]
        assert all((grey - grey.mean()).abs().max() < 1e-5 for grey in greys)
        assert greys[0].mean() < greys[1].mean() < greys[2].mean()


def test_a_shift_is_as_long_as_it_says() -> None:
    """shift=0.25 of 64 pixels: up to 16 to either side, along each axis."""
    _, labels = views(1, **{**STILL, "shift": 0.25})
    corners = []
    for label in labels:
        rows, columns = torch.nonzero(label == 1, as_tuple=True)
        corners.append((rows.max().item() - 29, columns.max().item() - 35))
    reach = max(max(abs(row), abs(column)) for row, column in corners)
    assert 10 <= reach <= 16


def test_a_turn_keeps_areas_and_a_scale_changes_them() -> None:
    area = 18 * 20
    _, turned = views(2, **{**STILL, "degrees": 15.0})
    for label in turned:
        assert (label == 1).sum().item() == pytest.approx(area, rel=0.05)
    _, scaled = views(2, **{**STILL, "scale": 0.15})
    ratios = [((label == 1).sum().item() / area) ** 0.5 for label in scaled]
    assert 0.82 < min(ratios) < 0.92
    assert 1.08 < max(ratios) < 1.18


def test_what_comes_in_from_outside_is_not_labelled() -> None:
    images = torch.full((16, 1, 32, 32), 0.5)
    labels = torch.full((16, 32, 32), 3, dtype=torch.uint8)
    torch.manual_seed(0)
    moved, turned = random_views(images, labels, **{**STILL, "shift": 0.3})
    assert set(turned.unique().tolist()) == {3, UNLABELLED}
    for image, label in zip(moved[:, 0], turned, strict=True):
        known = inside((label == 3)[None])[0]
        assert (image[known] - image[known].mean()).abs().max() < 1e-4
        outside = inside((label == UNLABELLED)[None])[0]
        if outside.any():
            assert image[outside].max() < image[known].mean() - 0.2


def test_what_was_not_labelled_stays_so() -> None:
    images, labels = squares()
    labels[:, :, 40:] = UNLABELLED
    torch.manual_seed(0)
    _, turned = random_views(images, labels)
    assert set(turned.unique().tolist()) <= {0, 1, 2, UNLABELLED}
    assert ((turned == UNLABELLED).flatten(1).float().mean(1) > 0.2).all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_values_stay_in_range_and_defined(value: float) -> None:
    torch.manual_seed(0)
    images = torch.full((8, 1, 16, 16), value)
    labels = torch.zeros(8, 16, 16, dtype=torch.uint8)
    moved, turned = random_views(images, labels, gamma=2.0, noise=0.5)
    assert torch.isfinite(moved).all()
    assert moved.min() >= 0
    assert moved.max() <= 1
    assert (moved.dtype, turned.dtype, moved.shape) == (torch.float32, torch.uint8, images.shape)


def test_a_seed_fixes_them_and_another_does_not() -> None:
    one, two, other = views(5), views(5), views(6)
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])
    assert not torch.equal(one[1], other[1])


def test_what_was_given_is_left_alone() -> None:
    images, labels = squares(4)
    before = images.clone(), labels.clone()
    random_views(images, labels)
    assert torch.equal(images, before[0])
    assert torch.equal(labels, before[1])
