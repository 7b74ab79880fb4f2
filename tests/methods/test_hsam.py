"""H-SAM by hand: its stages' weights, its recipe, its loss, and that it learns."""

from __future__ import annotations

import math

import pytest
import torch

from bench.models.sam.two_stage import averaged
from bench.train.losses import cross_entropy_squared_dice
from bench.train.slicewise import labels_at
from methods.hsam.method import second_share
from tests.methods.sam_tiny import sam_method
from tests.methods.test_unet import squares
from tests.methods.tiny import adapt, blind, dice


@pytest.mark.parametrize(
    ("epoch", "share"),
    [(0, 0.600), (10, 0.630), (19, 0.656), (29, 0.683), (100, 0.829), (299, 0.975)],
)
def test_the_second_stages_share_as_released(epoch: int, share: float) -> None:
    assert second_share(epoch) == pytest.approx(share, abs=6e-4)
    assert second_share(epoch + 0.99) == second_share(epoch)
    assert second_share(epoch - 1e-9) == second_share(epoch)  # rounding of steps / steps


def test_the_second_stages_share_as_the_paper_says() -> None:
    """The first stage's weight falls from 0.8, by half in ln 2 / 0.005 = 139 epochs."""
    assert second_share(0, kind="paper") == pytest.approx(0.2)
    assert second_share(139, kind="paper") == pytest.approx(0.6, abs=1e-3)
    assert second_share(300, kind="paper") == pytest.approx(1 - 0.8 * math.exp(-1.5))


def test_the_loss_is_on_both_stages_own_grids() -> None:
    method = sam_method("hsam", noise=0.0)
    method.network.eval()  # without dropout and noise
    images = torch.rand(2, 1, 64, 64)
    labels = torch.randint(0, 3, (2, 64, 64)).to(torch.uint8)
    labels[:, :9] = 255
    stages = method.network.stages(images)
    assert (stages.first.shape, stages.second.shape) == ((2, 3, 32, 32), (2, 3, 128, 128))
    one, two = (
        cross_entropy_squared_dice(logits, labels_at(labels, logits), dice_weight=0.9)
        for logits in (stages.first, stages.second)
    )
    for done, epoch in ((0.0, 0), (1 / 3, 100), (0.999, 299)):
        share = second_share(epoch)
        expected = (1 - share) * one + share * two
        torch.testing.assert_close(method._loss(images, labels, done), expected)


@pytest.mark.parametrize("output", ["logits", "probabilities", "second"])
def test_what_is_predicted_from(output: str) -> None:
    method = sam_method("hsam", output=output)
    method.network.eval()
    images = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        expected = averaged(method.network.stages(images), kind=output)
        assert torch.equal(method.network(images), expected)


def test_the_published_recipe_and_the_short_one() -> None:
    recipe = sam_method("hsam", batch="auto").recipe
    assert (recipe.batch, recipe.epochs, recipe.planned, recipe.warm_up) == (16, 300, None, 250)
    short = sam_method("hsam", batch="auto", recipe="short").recipe
    assert (short.batch, short.epochs, short.warm_up) == (16, 30, 25)


def test_it_learns_two_squares() -> None:
    """On slices that it has not seen."""
    method = sam_method("hsam")
    adapt(method, [squares(8)], steps=60, classes=2)
    given = squares(seed=1)
    assert given.label is not None
    prediction = method.predict(blind(given))
    assert dice(prediction, given.label, 1) > 0.8
    assert dice(prediction, given.label, 2) > 0.8


def test_both_kinds_of_attention_are_trained_with() -> None:
    for kind in ("paper", "released"):
        method = sam_method("hsam", cmattn=kind)
        reports = adapt(method, [squares()], steps=2, classes=2)
        assert all(report.loss is not None for report in reports)
        slopes = {
            name: value.grad
            for name, value in method.network.named_parameters()
            if "class_attention" in name
        }
        learns = any((slope != 0).any() for slope in slopes.values() if slope is not None)
        assert learns == (kind == "paper")
