"""Slices in, a volume out: what is trained on, how long, at which rate, and what is predicted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.contract import Progress, Volume
from bench.data.intensity import normalised
from bench.data.slices import Canvas
from bench.protocol import UNLABELLED
from bench.train.losses import cross_entropy_squared_dice
from bench.train.precision import Precision
from bench.train.slicewise import (
    SliceRecipe,
    adjusted,
    fit_slices,
    labels_at,
    predict_slices,
)
from bench.worker.clock import MethodClock
from tests.train.published import published

Pair = tuple[Tensor, Tensor]


def still(images: Tensor, labels: Tensor) -> Pair:
    return images, labels


def bars(depth: int = 6, side: int = 32, case: str = "c", **changes: object) -> Volume:
    """A bright bar on the left half of each slice, on noise."""
    random = np.random.default_rng(0)
    label = np.zeros((depth, side, side), np.uint8)
    label[:, 4:-4, 3 : side // 2] = 1
    image = (label + random.normal(0, 0.1, label.shape)).astype(np.float32)
    slices = tuple(range(depth))
    given = {"label": label, "labelled_slices": slices, "image": image, **changes}
    return Volume(case=case, patient=case, spacing=(1.0, 1.0, 1.0), **given)  # type: ignore[arg-type]


class Halved(nn.Module):
    """Scores at half of the resolution, from a pixel's own grey."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Conv2d(1, 2, 2, stride=2)
        self.seen: list[tuple[int, bool]] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append((len(images), self.training))
        scores: Tensor = self.score(images)
        return scores


def halved() -> Halved:
    torch.manual_seed(0)
    return Halved()


def train(
    network: nn.Module,
    *,
    support: list[Volume],
    recipe: SliceRecipe,
    steps: int | None = None,
    views: Callable[[Tensor, Tensor], Pair] = still,
    rate: float = 0.1,
    losses: list[tuple[Tensor, Tensor, float]] | None = None,
    rates: list[float] | None = None,
) -> list[Progress]:
    clock = MethodClock(seconds_limit=None, steps_limit=steps)
    optimiser = torch.optim.SGD(network.parameters(), lr=rate)

    def loss(images: Tensor, labels: Tensor, done: float) -> Tensor:
        if losses is not None:
            losses.append((images, labels, done))
        logits = network(images)
        return cross_entropy_squared_dice(logits, labels_at(labels, logits))

    reports = []
    for progress in fit_slices(
        network,
        optimiser,
        support=support,
        canvas=Canvas(32),
        clock=clock,
        recipe=recipe,
        loss=loss,
        device="cpu",
        views=views,
    ):
        if rates is not None:
            rates.append(optimiser.param_groups[0]["lr"])
        clock.count(progress)
        reports.append(progress)
        if clock.spent:
            break
    return reports


RECIPE = SliceRecipe(batch=4, epochs=3, warm_up=2)


def test_an_epoch_is_one_pass_over_the_labelled_slices() -> None:
    """Two volumes, 6 slices and 1: 7 slices are two batches of 4, the last one filled up."""
    label = np.full((6, 32, 32), UNLABELLED, np.uint8)
    label[2] = 0
    partly = bars(label=label, labelled_slices=(2,), case="d")
    seen: list[tuple[Tensor, Tensor, float]] = []
    reports = train(halved(), support=[bars(), partly], recipe=RECIPE, losses=seen)
    assert [(r.steps, r.samples, r.epoch) for r in reports] == [(1, 4, False), (1, 4, True)] * 3
    for epoch in range(3):
        marked = torch.cat([y for _, y, _ in seen[2 * epoch : 2 * epoch + 2]])
        assert 1 <= (marked == 0).all(dim=(1, 2)).sum() <= 2  # the slice without a structure
        assert not (marked == UNLABELLED).any()
    assert [done for *_, done in seen] == pytest.approx([i / 6 for i in range(6)])


def test_few_slices_are_one_batch() -> None:
    reports = train(halved(), support=[bars(3)], recipe=RECIPE)
    assert [(r.samples, r.epoch) for r in reports] == [(3, True)] * 3


def test_it_learns_and_predicts_on_the_volumes_own_grid() -> None:
    network = halved()
    train(network, support=[bars()], recipe=RECIPE, steps=150, rate=1.0)
    given = bars(case="e")
    found = predict_slices(network, given, canvas=Canvas(32), device="cpu", batch=4)
    assert (found.shape, found.dtype) == (given.image.shape, np.uint8)
    assert (found == given.label).mean() > 0.97
    assert network.seen[-2:] == [(4, False), (2, False)]  # in batches, in evaluation mode


@pytest.mark.parametrize(("precision", "dtype"), [("auto", "float32"), ("bf16", "bfloat16")])
def test_it_predicts_in_the_precision_of_its_training(precision: Precision, dtype: str) -> None:
    network, seen = halved(), []
    network.score.register_forward_hook(lambda *call: seen.append(call[-1].dtype))
    given = bars(case="e")
    predict_slices(network, given, canvas=Canvas(32), device="cpu", precision=precision)
    assert set(seen) == {getattr(torch, dtype)}


@pytest.mark.parametrize("shape", [(1, 32, 32), (5, 40, 23), (3, 7, 90)])
def test_scores_are_resized_and_labels_never(shape: tuple[int, int, int]) -> None:
    """The same as to score on the slice's own grid by hand."""
    network = halved()
    image = np.random.default_rng(1).uniform(size=shape).astype(np.float32)
    given = Volume("c", "p", image, (1.0, 1.0, 1.0))
    canvas = Canvas(32)
    found = predict_slices(network, given, canvas=canvas, device="cpu", batch=2)
    with torch.no_grad():
        scores = network(canvas.images(torch.from_numpy(normalised(given))))
        expected = canvas.scores_back(scores, *shape[1:]).argmax(1)
    assert np.array_equal(found, expected.numpy())


def test_the_published_schedule_is_run_without_a_budget() -> None:
    """A tenth of SAMed's: 20 epochs planned and 16 run, 93 steps each."""
    rates: list[float] = []
    recipe = SliceRecipe(batch=1, epochs=16, planned=20, warm_up=250)
    train(Scalar(), support=[bars(93, side=1)], recipe=recipe, rate=0.005, rates=rates)
    expected = [0.005 * published(step, steps=1_860, warm_up=250) for step in range(1_488)]
    assert rates == pytest.approx(expected)


class Scalar(nn.Module):
    """One number: what a test of schedules can afford."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        return (self.value * images[:, :, :1, :1]).expand(-1, 2, -1, -1)


def test_under_a_budget_the_decay_ends_with_it() -> None:
    """For every recipe alike: that one of them is stopped early is no advantage."""
    rates: list[float] = []
    recipe = SliceRecipe(batch=4, epochs=160, planned=200, warm_up=250, short_warm_up=25)
    train(Scalar(), support=[bars(side=8)], recipe=recipe, steps=200, rate=1.0, rates=rates)
    assert len(rates) == 200
    assert rates[24] == pytest.approx(1.0)
    assert rates[12] == pytest.approx(13 / 25)
    assert rates[112] == pytest.approx(0.5**0.9, abs=3e-3)
    assert rates[-1] == pytest.approx((1 / 175) ** 0.9)


def test_views_are_made_of_the_whole_batch_once() -> None:
    calls: list[int] = []

    def views(images: Tensor, labels: Tensor) -> Pair:
        calls.append(len(images))
        return images.flip(-1), labels.flip(-1)

    seen: list[tuple[Tensor, Tensor, float]] = []
    recipe = SliceRecipe(batch=4, epochs=1, warm_up=1, micro=2)
    train(halved(), support=[bars(4)], recipe=recipe, views=views, losses=seen)
    assert calls == [4]
    assert [len(x) for x, *_ in seen] == [2, 2]
    for images, labels, _ in seen:
        assert (labels[:, 10, 20] == 1).all()  # the bar is on the right
        assert (images[:, 0, 10, 20] > 0.5).all()


def test_the_default_views_are_those_shared_by_all() -> None:
    seen: list[tuple[Tensor, Tensor, float]] = []
    torch.manual_seed(0)
    clock = MethodClock(seconds_limit=None, steps_limit=1)
    network = halved()

    def loss(images: Tensor, labels: Tensor, done: float) -> Tensor:
        seen.append((images, labels, done))
        return network(images).square().mean()

    work = fit_slices(
        network,
        torch.optim.SGD(network.parameters(), lr=0.0),
        support=[bars()],
        canvas=Canvas(32),
        clock=clock,
        recipe=RECIPE,
        loss=loss,
        device="cpu",
    )
    next(work)
    assert len({label.numpy().tobytes() for label in seen[0][1]}) == 4  # each is moved otherwise


def test_labels_on_a_coarser_and_on_a_finer_grid() -> None:
    labels = torch.tensor([[[0, 1, 2, 2], [3, 4, 2, 2], [5, 5, 255, 255], [5, 5, 255, 6]]])
    labels = labels.to(torch.uint8)
    half = labels_at(labels, torch.zeros(1, 7, 2, 2))
    assert half.tolist() == [[[4, 2], [5, 6]]]  # a cell's label is the one at its centre
    twice = labels_at(labels, torch.zeros(1, 7, 8, 8))
    assert torch.equal(twice, labels.repeat_interleave(2, 1).repeat_interleave(2, 2))
    assert labels_at(labels, torch.zeros(1, 7, 4, 4)) is labels
    assert (half.dtype, twice.dtype) == (torch.uint8, torch.uint8)


def test_padding_and_what_is_not_labelled_move_nothing() -> None:
    """A slice of half the width, a third of it labelled: gradients come from there alone."""
    label = np.zeros((2, 32, 16), np.uint8)
    label[:, 16:] = UNLABELLED
    image = np.random.default_rng(0).uniform(size=label.shape).astype(np.float32)
    slopes = []

    class Map(Scalar):
        def forward(self, images: Tensor) -> Tensor:
            scores = torch.stack([self.value * images[:, 0], 1 - images[:, 0]], dim=1)
            if scores.requires_grad:
                scores.register_hook(slopes.append)
            return scores

    given = bars(2, label=label, image=image)
    train(Map(), support=[given], recipe=SliceRecipe(batch=2, epochs=1, warm_up=1))
    known = torch.zeros(32, 32, dtype=torch.bool)
    known[:16, :16] = True
    (slope,) = slopes
    assert (slope[:, :, ~known] == 0).all()
    assert (slope[:, :, known] != 0).all()


def test_a_recipe_with_what_a_user_gave() -> None:
    published = SliceRecipe(batch=24, epochs=160, planned=200, warm_up=250)
    assert adjusted(published, epochs="auto", batch="auto", warm_up="auto") == published
    changed = adjusted(published, epochs=30, batch=8, precision="bf16")
    assert (changed.epochs, changed.planned, changed.batch) == (30, 30, 8)
    assert (changed.warm_up, changed.precision) == (250, "bf16")
    assert (published.cpu_batch, changed.cpu_batch) == (8, None)  # what is given is not cut


def test_a_cpu_under_a_budget_takes_smaller_steps_at_a_lower_rate() -> None:
    """Not without a budget, and not where the user said how many."""
    recipe = SliceRecipe(batch=32, epochs=1, warm_up=1)
    support = [bars(40, side=8)]
    for given, steps, batch, peak in (
        (recipe, 8, 8, 0.5),
        (recipe, None, 32, 1.0),
        (adjusted(recipe, batch=16), 8, 16, 1.0),
        (SliceRecipe(batch=4, epochs=1, warm_up=1), 8, 4, 1.0),
    ):
        rates: list[float] = []
        reports = train(Scalar(), support=support, recipe=given, steps=steps, rate=1.0, rates=rates)
        assert {r.samples for r in reports} == {batch}
        assert max(rates) == pytest.approx(peak)
