"""Gradients of a batch that may be too large for the memory: in parts, and in smaller ones if need
be. The batch stays what it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from bench.errors import reason_of
from bench.train.precision import autocast
from bench.train.random_state import random_state, set_random_state

log = logging.getLogger(__name__)


def out_of_memory(error: BaseException) -> bool:
    """On the device or on the host, in the words of either."""
    return reason_of(error).startswith(("out of device memory", "out of host memory"))


@dataclass
class MicroBatches:
    """Accumulates the gradient of a batch's mean loss.

    size    samples that pass through the network at once; halved whenever memory runs out
    scaler  enabled for fp16 alone

    Parts of a batch count by their number of samples. A loss that sums over its batch (Dice) is
    taken over each part, and batch normalisation sees the parts too: for these, parts are a little
    different from the whole.
    """

    loss: Callable[..., Tensor]
    device: torch.device
    precision: str
    size: int
    scaler: torch.amp.GradScaler = field(init=False)

    def __post_init__(self) -> None:
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")

    def backward(self, tensors: Sequence[Tensor], optimiser: torch.optim.Optimizer) -> float:
        """The mean loss of a batch; its gradient is left in the parameters. Tries again from the
        same tensors and random numbers, with half the size, while that can help."""
        state = random_state(self.device)
        while True:
            optimiser.zero_grad(set_to_none=True)
            try:
                return self._accumulate(tensors)
            except (RuntimeError, MemoryError) as error:
                size = min(self.size, len(tensors[0]))
                if size == 1 or not out_of_memory(error):
                    raise
                reason = reason_of(error)
            # Here, and not above: until its handler ends, an error keeps the failed pass alive.
            self.size = (size + 1) // 2
            log.warning("%d samples at once are too many (%s); now %d", size, reason, self.size)
            set_random_state(state)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _accumulate(self, tensors: Sequence[Tensor]) -> float:
        count = len(tensors[0])
        total = torch.zeros((), device=self.device)
        for part in zip(*(tensor.split(self.size) for tensor in tensors), strict=True):
            with autocast(self.precision, self.device):
                value = self.loss(*part) * (len(part[0]) / count)
            self.scaler.scale(value).backward()
            total += value.detach()
        return float(total)
