"""Whether bf16 costs time on this CPU, measured once a process.

Some CPUs have no instructions for it, and take 6 to 15 times as long. What `precision=auto` is on a
CPU is not measured: it is fp32. The measured ratio was 1.4 to 2.9 within one process on a busy
machine, so a rule by it would have two runs of one request compute different numbers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F

log = logging.getLogger(__name__)

ROUNDS = 3
"""The best of so many counts: the others had to share their core."""
SLOW = 2 / 3
"""Below this share of fp32's speed it is said."""


@cache
def warn_where_bf16_is_slow() -> None:
    """One line, once a process."""
    speed = measured_speed()
    if speed < SLOW:
        log.warning(
            "precision=bf16: on this CPU bf16 takes %.1f times as long as fp32; "
            "precision=fp32 is faster here",
            1 / speed,
        )


def measured_speed(now: Callable[[], float] = time.thread_time) -> float:
    """The time of fp32 divided by that of bf16, for a matrix product and a convolution, both in
    turns: a tenth of a second in all where bf16 is fast."""
    generator = torch.Generator().manual_seed(0)
    tokens, weight = (torch.randn(256, 384, generator=generator) for _ in range(2))
    image = torch.randn(2, 32, 32, 32, generator=generator)
    kernel = torch.randn(32, 32, 3, 3, generator=generator)
    best = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    with torch.inference_mode():
        for number in range(ROUNDS + 1):
            for dtype in best:
                given = [x.to(dtype) for x in (tokens, weight, image, kernel)]
                began = now()
                F.linear(given[0], given[1])
                F.conv2d(given[2], given[3], padding=1)
                lap = now() - began
                if number:  # in the first one the kernels are made
                    best[dtype] = min(best[dtype], lap)
    return best[torch.float32] / max(best[torch.bfloat16], 1e-9)
