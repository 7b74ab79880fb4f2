"""Adapting a 2D network on the labelled slices of the support, and predicting volumes with it.

What a method adds is its network, its optimiser and its loss:

    recipe = SliceRecipe(batch=24, epochs=160, warm_up=250, planned=200)
    canvas = Canvas(512)

    def adapt(self, task, clock):
        yield from fit_slices(self.network, self.optimiser(), support=task.support, clock=clock,
                              canvas=canvas, recipe=recipe, loss=self.loss, device=self.device)

    def loss(self, images, labels, done):               # done: share of the run, 0 to 1
        logits = self.network(images)                   # (B, K + 1, s, s), any s
        return cross_entropy_squared_dice(logits, labels_at(labels, logits))

    def predict(self, volume):
        return predict_slices(self.network, volume, canvas=canvas, device=self.device)

`budget=paper` runs the recipe as it stands. Under a budget the same schedule is fitted to the steps
that there is room for (`bench.train.fitted`), and the rate falls to zero with the budget's end for
every method alike: an early stop that a recipe plans, or a rate that it leaves over, is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.contract import Clock, Progress, Volume
from bench.data.intensity import normalised
from bench.data.slices import Canvas, SliceSet, highest, labelled_slices
from bench.data.transfer import fits, to_device
from bench.options import AUTO
from bench.train.ahead import Source, at_once
from bench.train.augment import random_views
from bench.train.fit import FitPlan, fit
from bench.train.fitted import FittedSchedule
from bench.train.halving import Halving
from bench.train.precision import Precision, autocast, resolve_precision
from bench.train.schedule import Decay, poly_decay, poly_decay_to_zero, progress_of

Views = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""images (B, 1, S, S) in [0, 1] and labels (B, S, S) uint8 -> the same, augmented."""

SliceLoss = Callable[[Tensor, Tensor, float], Tensor]
"""images (B, 1, S, S), labels (B, S, S) uint8 with UNLABELLED, share of the run that is done ->
mean loss. It calls the network itself: a network of two stages has two losses."""

PREDICT_BATCH, CPU_PREDICT_BATCH = 16, 4
"""Slices at a time. On a CPU a few that stay in its caches are a quarter faster than many."""


@dataclass(frozen=True)
class SliceRecipe:
    """A published recipe. An epoch is one pass over the labelled slices.

    batch          slices of an optimiser step; all there are, where they are fewer
    cpu_batch      what that is cut to on a CPU under a budget, with a rate that is lower by the
                   square root: a minute has room for few large steps. None: it is not cut
    epochs         how many are run where there is no budget
    warm_up        optimiser steps of linear warm-up
    short_warm_up  what it is cut to where a budget leaves room for fewer than ten of it
    planned        epochs that the decay is laid out for, where a recipe is stopped earlier
    decay          of the rate after the warm-up, where there is no budget
    clip           largest norm of the gradient; None: as it is
    micro          slices that pass through the network at once; None: the batch
    compile        network and loss by torch.compile, within the first step: the budget pays for it.
                   Prediction is not compiled: it has other shapes and would begin anew
    """

    batch: int
    epochs: int
    warm_up: int
    cpu_batch: int | None = 8
    short_warm_up: int = 25
    planned: int | None = None
    decay: Decay = poly_decay
    clip: float | None = None
    micro: int | None = None
    precision: Precision = "auto"
    compile: bool = False

    @property
    def plan(self) -> FitPlan:
        return FitPlan(
            batch=self.batch,
            epochs=self.epochs,
            fill=True,
            micro=self.micro,
            clip=self.clip,
            precision=self.precision,
        )


def adjusted(
    recipe: SliceRecipe, *, precision: Precision = "auto", compile: bool = False, **given: Any
) -> SliceRecipe:
    """The recipe with what a user gave for its whole numbers; "auto" keeps the recipe's own. With
    other epochs, the decay is laid out for them."""
    numbers: dict[str, Any] = {k: v for k, v in given.items() if v != AUTO}
    if "batch" in numbers:
        numbers["cpu_batch"] = None
    if "epochs" in numbers:
        numbers.setdefault("planned", numbers["epochs"])
    return replace(recipe, precision=precision, compile=compile, **numbers)


def fit_slices(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    *,
    support: Sequence[Volume],
    canvas: Canvas,
    clock: Clock,
    recipe: SliceRecipe,
    loss: SliceLoss,
    device: torch.device | str,
    views: Views = random_views,
) -> Iterator[Progress]:
    """Train on every labelled slice of the support; a Progress an optimiser step.

    optimiser  each of its groups has its own base rate in "lr"
    loss       depends on the network and on chance alone: a stopped training goes on without more
    views      augments a whole batch on the device; the default is the one shared by all methods
    """
    recipe, share = _for_device(recipe, clock, torch.device(device))
    data = labelled_slices(support, canvas)
    plan, count = recipe.plan, len(data)
    steps = plan.recipe_steps(count)
    schedule = FittedSchedule(
        clock,
        recipe_steps=steps,
        warm_up=recipe.warm_up,
        short_warm_up=recipe.short_warm_up,
        decay=poly_decay_to_zero if clock.limited else recipe.decay,
        ends_at=1.0 if clock.limited else recipe.epochs / (recipe.planned or recipe.epochs),
    )

    taught = torch.compile(loss) if recipe.compile else loss

    def batch_loss(x: Tensor, y: Tensor) -> Tensor:
        return taught(x, y, progress_of(clock, recipe_steps=steps))

    yield from fit(
        network,
        optimiser,
        clock=clock,
        plan=plan,
        count=count,
        sample=slices_for(data, views, torch.device(device)),
        loss=batch_loss,
        rate=lambda: share * schedule(),
        device=device,
        keeps={"schedule": schedule},
    )


def slices_for(data: SliceSet, views: Views, device: torch.device) -> Source:
    """Batches of slices, augmented. A GPU has the slices in half precision: on it, where they all
    fit beside the training, else a batch at a time."""
    images, labels = data.images, data.labels
    if device.type == "cuda":
        images = images.half()
    near = device.type == "cpu" or fits(images.nbytes + labels.nbytes, device)
    if near:
        images, labels = to_device(images, device), to_device(labels, device)

    def gather(chosen: Tensor) -> tuple[Tensor, Tensor]:
        at = to_device(chosen, images.device)
        return images[at], labels[at]

    def finish(some: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
        return views(some.float(), theirs)

    if near:
        return at_once(lambda chosen: finish(*gather(chosen)))
    return Source(gather=gather, finish=finish)


def _for_device(
    recipe: SliceRecipe, clock: Clock, device: torch.device
) -> tuple[SliceRecipe, float]:
    """The recipe with the batch that it has here, and what its rates are multiplied by."""
    most = recipe.cpu_batch
    if device.type != "cpu" or not clock.limited or most is None or recipe.batch <= most:
        return recipe, 1.0
    return replace(recipe, batch=most), math.sqrt(most / recipe.batch)


def labels_at(labels: Tensor, logits: Tensor) -> Tensor:
    """labels (B, S, S) uint8, nearest, on the grid of the logits (B, C, s, s): (B, s, s)."""
    if labels.shape[-2:] == logits.shape[-2:]:
        return labels
    resized = F.interpolate(labels[:, None].float(), size=logits.shape[-2:], mode="nearest-exact")
    return resized[:, 0].to(labels.dtype)


@torch.inference_mode()
def predict_slices(
    network: nn.Module,
    volume: Volume,
    *,
    canvas: Canvas,
    device: torch.device | str,
    batch: int | None = None,
    precision: Precision = "auto",
) -> np.ndarray:
    """(D, H, W) uint8, the class of the highest score, on the volume's own grid.

    network  images (B, 1, S, S) in [0, 1] -> scores (B, K + 1, s, s), any s. It is put into its
             evaluation mode. Scores are resized to the volume's grid, labels never
    precision  what the network was trained in
    """
    network.eval()
    batch = batch or (CPU_PREDICT_BATCH if torch.device(device).type == "cpu" else PREDICT_BATCH)
    height, width = volume.image.shape[1:]
    slices = torch.from_numpy(normalised(volume))

    def labels(part: slice) -> Tensor:
        stack = canvas.images(to_device(slices[part], device))
        with autocast(resolve_precision(precision, device), device):
            scores = network(stack)
        return highest(canvas.scores_back(scores.float(), height, width))

    # One wait for the device a volume.
    return torch.cat([*Halving(batch, device).parts(labels, len(slices))]).cpu().numpy()
