"""Multinomial logistic regression by L-BFGS, an iteration at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

SLOPE, GAIN = 1e-4, 1e-6
"""It has arrived where no slope is larger, or where an iteration gains less than this share of the
loss: float32 sees no less."""


@dataclass
class Logistic:
    """weight (K, C), bias (K,) on standardised features: (x - mean) / deviation.

    The bias of a class without an example is such that it never wins.
    """

    weight: Tensor
    bias: Tensor
    mean: Tensor
    deviation: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """(B, C, h, w) -> scores (B, K, h, w)"""
        scaled = (features - self.mean[:, None, None]) / self.deviation[:, None, None]
        return torch.einsum("kc,bchw->bkhw", self.weight, scaled) + self.bias[:, None, None]


NEVER = -1e4
"""The score of a class without an example."""

LOOKS = 25
"""Evaluations of one iteration. torch's own bound is 5/4 of its iterations: with one at a time that
leaves nothing to search along the line, and it stalls."""

FLAT = 1e-6
"""A channel that varies less says nothing, and is not magnified."""


def untrained(classes: int, channels: int, device: torch.device) -> Logistic:
    """All scores 0, and every class but the first out of the question."""
    bias = torch.full((classes,), NEVER, device=device)
    bias[0] = 0
    return Logistic(
        weight=torch.zeros(classes, channels, device=device),
        bias=bias,
        mean=torch.zeros(channels, device=device),
        deviation=torch.ones(channels, device=device),
    )


def fit(
    model: Logistic, features: Tensor, labels: Tensor, *, balance: float, l2: float
) -> Iterator[float]:
    """Fit `model` in place; the loss of each iteration. Ends where it has arrived.

    features (N, C), labels (N,) from 0. The loss is the weighted mean of the cross-entropy and
    l2 / 2 times the sum of the squared weights. An example of a class counts by the class's
    frequency to the power of -balance: 1 is balanced, 0 takes them as they are.
    """
    counts = torch.bincount(labels, minlength=len(model.bias))
    seen = counts.nonzero()[:, 0]
    model.mean = features.mean(dim=0)
    deviation = features.std(dim=0, correction=0)
    model.deviation = torch.where(deviation > FLAT, deviation, 1.0)
    scaled = (features - model.mean) / model.deviation
    place = torch.full_like(counts, -1)
    place[seen] = torch.arange(len(seen), device=seen.device)
    targets, present = place[labels], counts[seen].float()
    importance = (present / present.sum()) ** -balance

    weight = torch.zeros(len(seen), features.shape[1], device=features.device, requires_grad=True)
    bias = torch.zeros(len(seen), device=features.device, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weight, bias],
        max_iter=1,
        max_eval=LOOKS,
        tolerance_change=0,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        scores = F.linear(scaled, weight, bias)
        value = F.cross_entropy(scores, targets, weight=importance) + l2 / 2 * weight.square().sum()
        value.backward()
        return value

    model.weight.zero_()
    model.bias.fill_(NEVER)

    before = float("inf")
    while True:
        value = float(optimiser.step(loss).detach())  # where this iteration began
        model.weight[seen], model.bias[seen] = weight.detach(), bias.detach()
        yield value
        slope = max(float(part.grad.abs().max()) for part in (weight, bias))
        if slope <= SLOPE or before - value <= GAIN * value:
            return
        before = value
