"""One fit loop for methods that want it. Read `fit`: it is the whole of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from bench.contract import Clock, Progress, Stateful
from bench.train.ahead import Ahead, Source, at_once, runs_ahead
from bench.train.micro import MicroBatches
from bench.train.order import batches
from bench.train.precision import Precision, resolve_precision


@dataclass(frozen=True)
class FitPlan:
    """batch          samples of an optimiser step
    epochs         length of the method's own recipe; the budget, where there is one, is longer or
                   shorter
    fill           samples that are left over after an epoch's whole batches are not left out: one
                   more batch is made of them and of others
    micro          samples that pass through the network at once; None: the batch
    clip           largest norm of the gradient; None: as it is
    seed           of the order of the samples; None: torch's global generator decides
    """

    batch: int
    epochs: int
    fill: bool = False
    micro: int | None = None
    clip: float | None = 1.0
    precision: Precision = "auto"
    seed: int | None = None

    def batch_of(self, count: int) -> int:
        return min(self.batch, count)

    def steps(self, count: int) -> int:
        """Optimiser steps of an epoch."""
        batch = self.batch_of(count)
        return max(1, (count + (batch - 1 if self.fill else 0)) // batch)

    def recipe_steps(self, count: int) -> int:
        """Optimiser steps of the method's own recipe."""
        return self.epochs * self.steps(count)


@dataclass
class _Place:
    """Where a training stands: which batches of the epoch there are, and how many are done."""

    order: torch.Generator | None
    micro: MicroBatches
    chosen: list[Tensor] = field(default_factory=list)
    step: int = 0

    def position(self) -> tuple[list[Tensor], int, Tensor | None]:
        return self.chosen, self.step, None if self.order is None else self.order.get_state()

    def move_to(self, position: tuple[list[Tensor], int, Tensor | None]) -> None:
        self.chosen, self.step, order = position
        if self.order is not None and order is not None:
            self.order.set_state(order)

    def state_dict(self) -> dict[str, Any]:
        order = None if self.order is None else self.order.get_state()
        parts = {"chosen": self.chosen, "step": self.step}
        return {**parts, "order": order, "size": self.micro.size}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.chosen, self.step = list(state["chosen"]), state["step"]
        self.micro.size = state["size"]
        if self.order is not None:
            self.order.set_state(state["order"])


def fit(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    *,
    clock: Clock,
    plan: FitPlan,
    count: int,
    sample: Callable[[Tensor], Sequence[Tensor]] | Source,
    loss: Callable[..., Tensor],
    rate: Callable[[], float],
    device: torch.device | str,
    keeps: Mapping[str, Stateful] | None = None,
) -> Iterator[Progress]:
    """Train until the harness stops pulling or the recipe ends; a Progress an optimiser step.

    network    what is put into its training mode before each step
    optimiser  each of its groups has its own base rate in "lr"
    count      samples there are
    sample     indices (batch,) -> tensors (batch, ...): the batch, augmented, on the device. It is
               drawn once a step, so a step that is done again in smaller parts sees the same. A
               `Source` does the same in parts, and a GPU has its next batch gathered meanwhile
    loss       some of these samples -> their mean loss
    rate       called before each step: the factor on every group's base rate
    keeps      what changes with the steps beside network, optimiser, scaler and order: the schedule
               behind `rate`, say. Given, even empty, it lets the training go on where it was
               stopped. None: nobody knows, and it begins anew
    """
    device = torch.device(device)
    micro = MicroBatches(
        loss=loss,
        device=device,
        precision=resolve_precision(plan.precision, device),
        size=plan.micro or plan.batch_of(count),
    )
    base_rates = [group["lr"] for group in optimiser.param_groups]
    learned = [p for group in optimiser.param_groups for p in group["params"]]
    order = None if plan.seed is None else torch.Generator().manual_seed(plan.seed)
    steps = plan.steps(count)
    place = _Place(order, micro)
    if keeps is not None and hasattr(clock, "resume"):
        own = {"network": network, "optimiser": optimiser, "scaler": micro.scaler, "place": place}
        clock.resume(**own, **keeps)

    def indices() -> Tensor:
        if place.step == len(place.chosen):
            chosen = batches(count, batch=plan.batch_of(count), steps=steps, generator=order)
            place.step, place.chosen = 0, list(chosen)
        place.step += 1
        return place.chosen[place.step - 1]

    source = sample if isinstance(sample, Source) else at_once(sample)
    ahead = Ahead(source, device, indices, place, threads=runs_ahead(device))
    try:
        while True:
            over = place.step == len(place.chosen)
            if over and not clock.limited and clock.steps >= plan.recipe_steps(count):
                return
            network.train()  # `predict` may have been called since the last step
            factor = rate()
            for group, base in zip(optimiser.param_groups, base_rates, strict=True):
                group["lr"] = base * factor
            taken, batch = ahead.take()
            ahead.begin()
            value = micro.backward(batch, optimiser)
            if not math.isfinite(value):
                raise FloatingPointError(f"the loss is {value} at step {clock.steps + 1}")
            if plan.clip is not None:
                micro.scaler.unscale_(optimiser)
                nn.utils.clip_grad_norm_(learned, plan.clip)
            micro.scaler.step(optimiser)
            micro.scaler.update()
            ahead.finish()
            yield Progress(steps=1, samples=len(taken), loss=value, epoch=place.step == steps)
    finally:
        ahead.close()
