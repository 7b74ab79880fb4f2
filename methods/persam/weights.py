"""PerSAM-F's training: two numbers a class mix SAM's three masks."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from bench.contract import Clock, Progress
from bench.train.mask_losses import mask_focal_dice
from bench.train.schedule import cosine_decay
from methods.persam.asking import weighted

START = 1 / 3


def fit_weights(
    masks: Tensor,
    truth: Tensor,
    kinds: Tensor,
    learned: Tensor,
    *,
    clock: Clock,
    steps: int,
    lr: float,
) -> Iterator[Progress]:
    """Learn `learned` (K, 2) in place; a step and an epoch are one pass over all references.

    masks (R, 3, h, w) are SAM's, which do not change; truth (R, h, w) with UNLABELLED; kinds (R,)
    the classes. Classes have nothing in common: each has the mean loss of its own references.
    """
    values = learned.clone().requires_grad_(True)
    optimiser = torch.optim.AdamW([values], lr=lr, eps=1e-4)
    share = 1 / torch.bincount(kinds, minlength=len(learned)).clamp(min=1)[kinds]
    present = len(kinds.unique())
    length = steps if clock.step_limit is None else max(1, min(steps, clock.step_limit))
    for step in range(length):
        # A budget of seconds may end first; the rate is then at the end of its fall, too.
        done = max(step / length, clock.fraction)
        optimiser.param_groups[0]["lr"] = lr * cosine_decay(done, 1, 0)
        with torch.enable_grad():
            each = mask_focal_dice(weighted(masks, values[kinds]), truth, focal_weight=1.0)
            loss = (each * share).sum()
            optimiser.zero_grad()
            loss.backward()
        optimiser.step()
        learned.copy_(values.detach())
        yield Progress(samples=len(masks), loss=float(loss.detach()) / present, epoch=True)
