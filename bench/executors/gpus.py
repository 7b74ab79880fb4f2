"""Which GPU a unit's process sees, and how many units share one."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

from bench.errors import RequestError
from bench.unit.spec import Unit


def gpus_of(units: Sequence[Unit]) -> list[str]:
    """Those that these units may use, each as CUDA_VISIBLE_DEVICES names it: all that are to be
    seen, or the one of `device=cuda:1`. A process that sees one GPU knows it as cuda:0, whatever
    its number was."""
    words = {unit.device for unit in units if unit.device.startswith("cuda")}
    if not words:
        return []
    visible = _visible()
    numbers = sorted(int(word.partition(":")[2]) for word in words if ":" in word)
    if numbers and numbers[-1] >= len(visible):
        raise RequestError(f"device=cuda:{numbers[-1]}: {len(visible)} GPUs are to be seen here")
    return [visible[number] for number in numbers] if numbers else visible


def _visible() -> list[str]:
    import torch

    count = torch.cuda.device_count()
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given:
        return [name.strip() for name in given.split(",")][:count]
    return [str(index) for index in range(count)]


def share_of(units: Sequence[Unit], *, jobs: int, gpus: Sequence[str], allowed: bool) -> int:
    """Units on one GPU at a time. Seconds of a GPU that is shared are not those of one that is
    not: a budget of seconds would buy each unit less, and no clock of ours sees how much."""
    if not gpus or jobs <= len(gpus):
        return 1
    timed = next((unit for unit in units if unit.request.budget.seconds is not None), None)
    if timed is not None and not allowed:
        raise RequestError(
            f"executor.jobs={jobs}: there {'is' if len(gpus) == 1 else 'are'} {len(gpus)} GPU"
            f"{'' if len(gpus) == 1 else 's'}, and budget {timed.request.budget.name} counts "
            "seconds, of which units that share a GPU get less; take executor.jobs="
            f"{len(gpus)}, a budget of steps, or executor.share_gpu=true, which records say"
        )
    return math.ceil(jobs / len(gpus))
