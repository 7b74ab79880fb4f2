"""SAMora pulled by hand: stage 1 and stage 2 in turn, as the harness would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from bench.contract import Progress, Task, Volume
from bench.unit.clock import BudgetClock
from methods.samora.method import SAMora
from tests.methods.sam_tiny import sam_method
from tests.methods.test_unet import squares
from tests.methods.tiny import blind, setting


def samora(seed: int = 0, **changes: Any) -> SAMora:
    """Slices of 64 px in both stages."""
    small = {"pretrain_size": "64", "pretrain_batch": 4, "precision": "fp32", **changes}
    method: SAMora = sam_method("samora", seed=seed, **small)
    return method


def stage(
    verb: Literal["pretrain", "adapt"],
    method: SAMora,
    volumes: Sequence[Volume],
    *,
    steps: int | None,
    pretrained: Mapping[str, Any] | None = None,
) -> Iterator[Progress]:
    """One stage until it or its budget of steps ends."""
    task = Task(
        setting=setting(2),
        support=() if verb == "pretrain" else tuple(volumes),
        unlabelled=tuple(blind(given) for given in volumes),
        scratch=Path("nothing is written"),
        pretrained=pretrained,
    )
    clock = BudgetClock(seconds_limit=None, steps_limit=steps)
    for progress in getattr(method, verb)(task, clock):
        clock.count(progress)
        yield progress
        if clock.spent:
            return


def pretrained(steps: int = 5, **changes: Any) -> dict[str, Any]:
    """The state that stage 1 leaves after so many steps."""
    method = samora(**changes)
    list(stage("pretrain", method, [squares(seed=5), squares(seed=6)], steps=steps))
    return dict(method.state_dict())
