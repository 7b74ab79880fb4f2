"""Cross-entropy and Dice by hand, and against MONAI's where the two mean the same."""

from __future__ import annotations

import math

import pytest
import torch
from monai.losses import DiceCELoss

from bench.protocol import UNLABELLED
from bench.train.losses import cross_entropy_dice, cross_entropy_squared_dice


def example(seed: int = 0, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """logits (2, classes + 1, 8, 6), labels (2, 8, 6) in which every class occurs."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, classes + 1, 8, 6, generator=generator)
    labels = torch.randint(0, classes + 1, (2, 8, 6), generator=generator)
    assert len(labels.unique()) == classes + 1
    return logits, labels.to(torch.uint8)


def monai(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    loss = DiceCELoss(
        include_background=False,
        to_onehot_y=True,
        softmax=True,
        batch=True,
        smooth_nr=1e-5,
        smooth_dr=1e-5,
    )
    return loss(logits, labels[:, None].long())


def test_by_hand() -> None:
    """Two pixels, one class. Shares of the class: 3/4 where it is, 1/4 where it is not."""
    logits = torch.tensor([[[[0.0, math.log(3)]], [[math.log(3), 0.0]]]])  # (1, 2, 1, 2)
    labels = torch.tensor([[[1, 0]]])
    entropy = -math.log(0.75)
    dice = 1 - 2 * 0.75 / (0.75 + 0.25 + 1)
    assert cross_entropy_dice(logits, labels).item() == pytest.approx((entropy + dice) / 2, 1e-4)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("classes", [1, 3])
def test_it_is_half_of_monais(seed: int, classes: int) -> None:
    """MONAI adds the two terms, we take their mean; without unlabelled pixels that is all."""
    logits, labels = example(seed, classes)
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    loss, reference = cross_entropy_dice(ours, labels), monai(theirs, labels) / 2
    assert loss.item() == pytest.approx(reference.item(), rel=1e-5)
    loss.backward()
    reference.backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-7)


def test_a_class_that_the_batch_lacks_is_as_in_monai() -> None:
    logits, labels = example()
    labels[labels == 2] = 0
    assert cross_entropy_dice(logits, labels).item() == pytest.approx(
        monai(logits, labels).item() / 2, rel=1e-5
    )


def test_a_perfect_prediction_costs_nothing() -> None:
    labels = example()[1]
    logits = 50 * torch.nn.functional.one_hot(labels.long(), 4).movedim(-1, 1).float()
    assert cross_entropy_dice(logits, labels).item() == pytest.approx(0.0, abs=1e-6)


def test_unlabelled_pixels_are_as_if_they_were_not_there() -> None:
    """MONAI has no label to ignore: it gets the labelled part alone."""
    logits, labels = example()
    half = labels.clone()
    half[:, :, 3:] = UNLABELLED
    expected = monai(logits[..., :3], labels[..., :3]) / 2
    assert cross_entropy_dice(logits, half).item() == pytest.approx(expected.item(), rel=1e-5)
    logits[..., 3:] = 1e4  # whatever is predicted there
    assert cross_entropy_dice(logits, half).item() == pytest.approx(expected.item(), rel=1e-5)


def test_unlabelled_pixels_have_no_gradient() -> None:
    logits, labels = example()
    labels[0, 2:5] = UNLABELLED
    logits.requires_grad_()
    cross_entropy_dice(logits, labels).backward()
    assert logits.grad is not None
    unlabelled = (labels == UNLABELLED)[:, None].expand_as(logits)
    assert (logits.grad[unlabelled] == 0).all()
    assert (logits.grad[~unlabelled] != 0).all()


def test_a_batch_without_labels_moves_nothing() -> None:
    logits = example()[0].requires_grad_()
    loss = cross_entropy_dice(logits, torch.full((2, 8, 6), UNLABELLED, dtype=torch.uint8))
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_does_not_overflow(kind: torch.dtype) -> None:
    """A sum of 300,000 pixels is beyond float16."""
    logits = torch.zeros(1, 2, 600, 500, dtype=kind)
    labels = torch.ones(1, 600, 500, dtype=torch.uint8)
    expected = (math.log(2) + 1 - 2 * 0.5 / 1.5) / 2
    assert cross_entropy_dice(logits, labels).item() == pytest.approx(expected, rel=1e-5)


def test_dice_is_taken_over_the_batch() -> None:
    """An image without the class does not count as a miss of its own."""
    logits = torch.zeros(2, 2, 1, 1)
    logits[0, 1], logits[1, 0] = 50.0, 50.0
    labels = torch.tensor([[[1]], [[0]]])
    assert cross_entropy_dice(logits, labels).item() == pytest.approx(0.0, abs=1e-5)


def test_squared_dice_by_hand() -> None:
    """Two pixels, one class, shares 3/4 and 1/4: both classes have the same Dice."""
    logits = torch.tensor([[[[0.0, math.log(3)]], [[math.log(3), 0.0]]]])
    labels = torch.tensor([[[1, 0]]])
    entropy = -math.log(0.75)
    dice = 1 - 2 * 0.75 / (0.75**2 + 0.25**2 + 1)
    loss = cross_entropy_squared_dice(logits, labels)
    assert loss.item() == pytest.approx(0.2 * entropy + 0.8 * dice, rel=1e-4)


def test_squared_dice_counts_the_background() -> None:
    """All background and sure of it: the class that is nowhere costs nothing, nor does the rest.
    Half sure: the background's Dice is 1 - 2 (4/2) / (4/4 + 4), the class's 1 - 0 / (4/4)."""
    labels = torch.zeros(1, 2, 2, dtype=torch.uint8)
    sure = torch.stack([torch.full((2, 2), 40.0), torch.zeros(2, 2)])[None]
    assert cross_entropy_squared_dice(sure, labels).item() == pytest.approx(0.0, abs=1e-5)
    half = torch.zeros(1, 2, 2, 2)
    expected = 0.2 * math.log(2) + 0.8 * ((1 - 4 / 5) + 1) / 2
    assert cross_entropy_squared_dice(half, labels).item() == pytest.approx(expected, rel=1e-4)


def monai_squared(logits: torch.Tensor, labels: torch.Tensor, dice: float) -> torch.Tensor:
    loss = DiceCELoss(
        include_background=True,
        to_onehot_y=True,
        softmax=True,
        squared_pred=True,
        batch=True,
        smooth_nr=1e-5,
        smooth_dr=1e-5,
        lambda_dice=dice,
        lambda_ce=1 - dice,
    )
    return loss(logits, labels[:, None].long())


@pytest.mark.parametrize("dice", [0.8, 0.9, 0.0, 1.0])
@pytest.mark.parametrize("classes", [1, 8])
def test_squared_dice_is_monais(dice: float, classes: int) -> None:
    logits, labels = example(3, classes)
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    loss = cross_entropy_squared_dice(ours, labels, dice_weight=dice)
    reference = monai_squared(theirs, labels, dice)
    assert loss.item() == pytest.approx(reference.item(), rel=1e-5)
    loss.backward()
    reference.backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-7)


def test_squared_dice_leaves_out_what_is_unlabelled() -> None:
    logits, labels = example()
    half = labels.clone()
    half[:, :, 3:] = UNLABELLED
    expected = monai_squared(logits[..., :3], labels[..., :3], 0.8)
    logits[..., 3:] = 1e4
    logits.requires_grad_()
    loss = cross_entropy_squared_dice(logits, half)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    loss.backward()
    assert logits.grad is not None
    assert (logits.grad[..., 3:] == 0).all()
    nothing = cross_entropy_squared_dice(logits, torch.full_like(labels, UNLABELLED))
    assert nothing.item() == 0.0
