"""BCE + Dice and focal + Dice by hand, and against torch, torchvision and MONAI."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from monai.losses import DiceLoss
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

from bench.protocol import UNLABELLED
from bench.train.mask_losses import bce_dice, focal_dice, mask_focal_dice, mask_targets


def example(seed: int = 0) -> tuple[Tensor, Tensor]:
    """(2, 3, 5, 4): six masks, each with both kinds of pixel."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(2, 3, 5, 4, generator=generator)
    return logits, torch.randint(0, 2, logits.shape, generator=generator).float()


def dice(logits: Tensor, targets: Tensor) -> Tensor:
    """MONAI's, a mask at a time."""
    return DiceLoss(sigmoid=True, smooth_nr=1.0, smooth_dr=1.0)(logits, targets)


def test_by_hand() -> None:
    """Shares 3/4 where the mask is, 1/4 where it is not."""
    logits = torch.tensor([[math.log(3), -math.log(3)]])
    targets = torch.tensor([[1.0, 0.0]])
    entropy = -math.log(0.75)
    overlap = 1 - (2 * 0.75 + 1) / (1 + 1 + 1)
    assert bce_dice(logits, targets).item() == pytest.approx(entropy + overlap, rel=1e-5)
    focal = entropy * 0.25**2 * (0.25 + 0.75) / 2
    assert focal_dice(logits, targets).item() == pytest.approx(20 * focal + overlap, rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_against_the_libraries(seed: int) -> None:
    logits, targets = example(seed)
    entropy = F.binary_cross_entropy_with_logits(logits, targets)
    focal = sigmoid_focal_loss(logits, targets, alpha=0.25, gamma=2.0, reduction="mean")
    overlap = dice(logits, targets)
    assert bce_dice(logits, targets).item() == pytest.approx((entropy + overlap).item(), rel=1e-5)
    expected = (20 * focal + overlap).item()
    assert focal_dice(logits, targets).item() == pytest.approx(expected, rel=1e-5)
    other = focal_dice(logits, targets, focal_weight=3.0, alpha=0.6, gamma=1.0)
    focal = sigmoid_focal_loss(logits, targets, alpha=0.6, gamma=1.0, reduction="mean")
    assert other.item() == pytest.approx((3 * focal + overlap).item(), rel=1e-5)


def test_each_mask_alone_by_hand() -> None:
    """Share 1/2 everywhere: entropy ln 2, squared miss 1/4, weights 1/4 and 3/4 for 1 and 0."""
    logits = torch.zeros(2, 1, 2)
    targets = torch.tensor([[[1.0, 0.0]], [[0.5, UNLABELLED]]])
    first = 20 * math.log(2) / 4 * (0.25 + 0.75) / 2 + 1 - (2 * 0.5 + 1) / (1 + 1 + 1)
    # Half covered is hit exactly: no miss. Its Dice is of one pixel.
    second = 1 - (2 * 0.25 + 1) / (0.5 + 0.5 + 1)
    found = mask_focal_dice(logits, targets)
    assert found.tolist() == pytest.approx([first, second])
    assert focal_dice(logits, targets).item() == pytest.approx((first + second) / 2)


@pytest.mark.parametrize("loss", [bce_dice, focal_dice])
def test_unlabelled_pixels_are_as_if_they_were_not_there(loss) -> None:  # type: ignore[no-untyped-def]
    logits, targets = example()
    expected = loss(logits[..., :3], targets[..., :3])
    targets[..., 3:] = UNLABELLED
    logits[..., 3:] = 1e4
    logits.requires_grad_()
    found = loss(logits, targets)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    assert loss(logits, targets.to(torch.uint8)).item() == found.item()
    found.backward()
    assert logits.grad is not None
    assert (logits.grad[..., 3:] == 0).all()
    assert (logits.grad[..., :3] != 0).all()


@pytest.mark.parametrize("loss", [bce_dice, focal_dice])
def test_a_mask_without_labels_is_left_out(loss) -> None:  # type: ignore[no-untyped-def]
    logits, targets = example()
    expected = loss(logits[:1], targets[:1])
    targets[1] = UNLABELLED
    assert loss(logits, targets).item() == pytest.approx(expected.item(), rel=1e-5)
    nothing = loss(logits.requires_grad_(), torch.full_like(targets, UNLABELLED))
    nothing.backward()
    assert nothing.item() == 0.0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


def test_an_empty_mask_pulls_the_prediction_down() -> None:
    logits = torch.zeros(1, 4, 4, requires_grad=True)
    bce_dice(logits, torch.zeros(1, 4, 4)).backward()
    assert logits.grad is not None
    assert (logits.grad > 0).all()


def test_half_precision_does_not_overflow() -> None:
    logits = torch.zeros(1, 600, 500, dtype=torch.float16)
    targets = torch.ones(1, 600, 500, dtype=torch.uint8)
    expected = math.log(2) + 1 - (300_000 + 1) / (450_000 + 1)
    assert bce_dice(logits, targets).item() == pytest.approx(expected, rel=1e-5)


def test_targets_are_parts_of_a_cell() -> None:
    labels = torch.tensor([[[1, 1, 2, 0], [1, 0, 2, 2], [255, 255, 255, 1], [255, 255, 2, 255]]])
    targets = mask_targets(labels.to(torch.uint8), (1, 2), (2, 2))
    assert targets.tolist() == [[[[0.75, 0.0], [255.0, 0.5]], [[0.0, 0.75], [255.0, 0.5]]]]


def test_targets_of_whole_labels_are_torchs_area_means() -> None:
    labels = torch.randint(0, 3, (2, 24, 18), generator=torch.Generator().manual_seed(0))
    expected = F.interpolate((labels == 2).float()[:, None], size=(5, 7), mode="area")
    assert torch.allclose(mask_targets(labels, (2,), (5, 7)), expected, atol=1e-6)
