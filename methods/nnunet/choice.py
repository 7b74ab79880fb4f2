"""What the options come to on this device and under this budget."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import torch

from bench.options import given
from methods.nnunet.planning import OWN_MEMORY, OWN_STATISTICS, PlanChoice

CPU_MEMORY = 0.1
"""GB. The planner makes patch and batch as large as its memory target allows, so the target also
says how much a step computes: 1/80 of its own is a step of about a second on a core."""
CPU_BATCH = 2
"""The planner's own smallest. Its momentum of 0.99 needs steps, whatever they are made of."""
LIMITED_STATISTICS = 1_000_000
"""Drawing its own hundred million takes ten seconds, of three voxels as of a million."""
MOST_WORKERS = 12
"""nnunetv2's own number."""


@dataclass(frozen=True)
class Choice:
    plan: PlanChoice
    mirroring: bool
    workers: int


def choice_of(options: SimpleNamespace, *, device: torch.device, limited: bool) -> Choice:
    """Without a budget all is as nnunetv2 has it."""
    small = limited and device.type == "cpu"
    return Choice(
        plan=PlanChoice(
            configuration=options.configuration,
            plans=options.plans,
            memory_gb=given(options.memory_gb, CPU_MEMORY if small else OWN_MEMORY),
            statistics=given(options.statistics, LIMITED_STATISTICS if limited else OWN_STATISTICS),
            batch=given(options.batch, CPU_BATCH if small else None),
        ),
        mirroring=not small if options.mirroring == "auto" else bool(options.mirroring),
        workers=given(options.workers, _workers(device)),
    )


def _workers(device: torch.device) -> int:
    """On a CPU a step takes far longer than its batch, and both want the same cores."""
    return 0 if device.type == "cpu" else min(MOST_WORKERS, torch.get_num_threads() - 1)
