"""The two stages: the encoder by the hierarchy of terms, then the decoder by places of a slice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench.contract import Clock, Progress
from bench.train.ahead import Source
from bench.train.convolutions import convolutional
from bench.train.fit import FitPlan, fit
from bench.train.fitted import FittedSchedule
from bench.train.optimisers import adam
from bench.train.precision import Precision
from bench.train.schedule import cosine_decay
from bench.train.share import Share, parts, until_spent
from methods.hssl.losses import draw_places, local_contrastive
from methods.hssl.pool import DomainPool
from methods.hssl.terms import Hierarchy, Terms
from methods.hssl.views import Views

LOCAL_FEATURES = 64


@dataclass(frozen=True)
class Recipe:
    """epochs, decoder_epochs  of the stages; an epoch is `epoch_batches` batches
    batch, decoder_batch    slices of a step, each of which is seen in two views
    places, negatives       of a slice, in the local term
    level                   of the decoder whose map the local term looks at, from the last
    decoder_hier            the task and group terms on that map, too
    """

    lr: float
    weight_decay: float
    batch: int
    epochs: int
    decoder_batch: int
    decoder_epochs: int
    epoch_batches: int
    places: int
    negatives: int
    level: int
    decoder_hier: bool
    precision: Precision


@dataclass(frozen=True, eq=False)
class Lesson:
    """What both stages share."""

    pool: DomainPool
    groups: Tensor
    terms: Terms
    views: Views
    recipe: Recipe
    device: torch.device


def teach(
    network: Any, lesson: Lesson, clock: Clock, *, decoder: bool, taught: set[str]
) -> Iterator[Progress]:
    """Both stages, or the encoder's alone; under a budget they share it as their epochs do.
    `taught` gets the names of the parameters of a stage when that begins."""
    recipe = lesson.recipe
    epochs = [recipe.epochs, *([recipe.decoder_epochs] if decoder else [])]
    stages: list[Callable[..., Iterator[Progress]]] = [encoder_stage, decoder_stage]
    for stage, part in zip(stages, parts([float(n) for n in epochs]), strict=False):
        share = Share(clock, part)
        yield from until_spent(stage(network, lesson, share, taught=taught), share)


def encoder_stage(
    network: Any, lesson: Lesson, clock: Clock, *, taught: set[str]
) -> Iterator[Progress]:
    """L_enc on the pooled deepest features."""
    recipe, views = lesson.recipe, lesson.views
    hierarchy = Hierarchy(network.deep_width, lesson.terms, lesson.groups).to(lesson.device)

    def finish(slices: Tensor, tasks: Tensor, parts: Tensor) -> tuple[Tensor, ...]:
        slices = slices.float()
        return views.both(slices), views.both(slices), tasks, parts

    def loss(one: Tensor, other: Tensor, tasks: Tensor, parts: Tensor) -> Tensor:
        return hierarchy(network.deep(torch.cat([one, other])), tasks, parts)

    learned = _learned(network, "encoder.", taught)
    yield from _train(
        nn.ModuleList([network, hierarchy]),
        [*learned, *hierarchy.parameters()],
        lesson,
        clock,
        batch=recipe.batch,
        epochs=recipe.epochs,
        finish=finish,
        loss=loss,
    )


def decoder_stage(
    network: Any, lesson: Lesson, clock: Clock, *, taught: set[str]
) -> Iterator[Progress]:
    """L_loc on a map of the decoder, the encoder frozen; blocks above that map learn nothing."""
    recipe, views, device = lesson.recipe, lesson.views, lesson.device
    blocks = network.blocks_to(recipe.level)
    width = network.widths[-1 - blocks]
    local = convolutional(nn.Conv2d(width, LOCAL_FEATURES, 1), device)
    hierarchy = _hierarchy_of(lesson, width)

    def finish(slices: Tensor, tasks: Tensor, parts: Tensor) -> tuple[Tensor, ...]:
        placed, count = views.place(slices.float()), len(slices)
        cells = (placed.shape[-1] >> (recipe.level - 1)) ** 2
        places, negatives = draw_places(
            count, cells, places=recipe.places, negatives=recipe.negatives, device=device
        )
        return views.grey(placed), views.grey(placed), tasks, parts, places, negatives

    def loss(
        one: Tensor, other: Tensor, tasks: Tensor, parts: Tensor, places: Tensor, against: Tensor
    ) -> Tensor:
        maps = network.shallow(torch.cat([one, other]), recipe.level)
        first, second = local(maps).chunk(2)
        value = local_contrastive(
            first, second, places, against, temperature=lesson.terms.temperature
        )
        if hierarchy is not None:
            value = value + hierarchy(maps.mean((2, 3)), tasks, parts)
        return value

    learned = [
        parameter
        for number in range(blocks)
        for parameter in _learned(network, f"decoder.blocks.{number}.", taught)
    ]
    heads = [*local.parameters(), *([] if hierarchy is None else hierarchy.parameters())]
    yield from _train(
        nn.ModuleList([network, local]),
        [*learned, *heads],
        lesson,
        clock,
        batch=recipe.decoder_batch,
        epochs=recipe.decoder_epochs,
        finish=finish,
        loss=loss,
    )


def _hierarchy_of(lesson: Lesson, width: int) -> Hierarchy | None:
    """The task and group terms of stage 1, for the decoder's map; None where none is left."""
    terms = lesson.terms.without("image", "position")
    counts = (len(lesson.groups), len(lesson.groups.unique()))
    alive = terms.without(
        *(name for name, count in zip(("task", "group"), counts, strict=True) if count < 2)
    )
    if not lesson.recipe.decoder_hier or not alive.names:
        return None
    return Hierarchy(width, alive, lesson.groups).to(lesson.device)


def _learned(network: nn.Module, prefix: str, taught: set[str]) -> list[nn.Parameter]:
    """What of this part of the network is trainable; its names join `taught`."""
    found = {
        name: parameter
        for name, parameter in network.named_parameters()
        if name.startswith(prefix) and parameter.requires_grad
    }
    taught.update(found)
    return list(found.values())


def _train(
    network: nn.Module,
    learned: Sequence[nn.Parameter],
    lesson: Lesson,
    clock: Clock,
    *,
    batch: int,
    epochs: int,
    finish: Callable[..., tuple[Tensor, ...]],
    loss: Callable[..., Tensor],
) -> Iterator[Progress]:
    recipe = lesson.recipe
    plan = FitPlan(batch=batch, epochs=epochs, clip=None, precision=recipe.precision)
    count = batch * recipe.epoch_batches  # drawn anew each time: an epoch is a number of batches
    yield from fit(
        network,
        adam(learned, lr=recipe.lr, weight_decay=recipe.weight_decay),
        clock=clock,
        plan=plan,
        count=count,
        sample=Source(
            choose=lambda chosen: lesson.pool.choose(len(chosen)),
            gather=lambda plan: lesson.pool.gather(plan).tensors,
            finish=finish,
        ),
        loss=loss,
        rate=FittedSchedule(
            clock, recipe_steps=plan.recipe_steps(count), warm_up=0, decay=cosine_decay
        ),
        device=lesson.device,
    )
