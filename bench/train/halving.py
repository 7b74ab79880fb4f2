"""Work without a gradient in parts that fit the memory: encoding, prediction, memories. And how
much of it a GPU has left."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch

from bench.errors import reason_of
from bench.train.micro import out_of_memory
from bench.train.random_state import random_state, set_random_state

log = logging.getLogger(__name__)
Part = TypeVar("Part")


@dataclass
class Halving:
    """size: how many go through at once; halved whenever memory runs out, and then kept.

    For work in which no item sees another one: parts of any size give the same. Out of memory with
    a single item is raised.
    """

    size: int
    device: torch.device | str

    def parts(self, work: Callable[[slice], Part], count: int) -> Iterator[Part]:
        """`work` of slices that together are range(count), in their order."""
        device, start = torch.device(self.device), 0
        while start < count:
            part = slice(start, min(start + self.size, count))
            state = random_state(device)
            try:
                found = work(part)
            except (RuntimeError, MemoryError) as error:
                held = part.stop - part.start
                if held == 1 or not out_of_memory(error):
                    raise
                reason = reason_of(error)
            else:
                yield found
                start = part.stop
                continue
            # Here, and not above: until its handler ends, an error keeps the failed pass alive.
            self.size = (held + 1) // 2
            log.warning("%d at once are too many (%s); now %d", held, reason, self.size)
            set_random_state(state)
            if device.type == "cuda":
                torch.cuda.empty_cache()
