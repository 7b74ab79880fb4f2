"""SAMora pulled by hand: stage 1 and stage 2 in turn, as the harness would."""

from __future__ import annotations

from functools import partial
from typing import Any

from methods.samora.method import SAMora
from tests.methods import tiny
from tests.methods.sam_tiny import sam_method
from tests.methods.test_unet import squares


def samora(seed: int = 0, **changes: Any) -> SAMora:
    """Slices of 64 px in both stages."""
    small = {"pretrain_size": 64, "pretrain_batch": 4, "precision": "fp32", **changes}
    method: SAMora = sam_method("samora", seed=seed, **small)
    return method


stage = partial(tiny.phase, classes=2)


def pretrained(steps: int = 5, **changes: Any) -> dict[str, Any]:
    """The state that stage 1 leaves after so many steps."""
    method = samora(**changes)
    list(stage("pretrain", method, [squares(seed=5), squares(seed=6)], steps=steps))
    return dict(method.state_dict())
