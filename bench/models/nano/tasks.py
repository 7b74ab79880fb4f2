"""The three training tasks by name, imported when asked for."""

from __future__ import annotations

from torch import nn


def new_task(which: str) -> nn.Module:
    """A task holds its network as `network` and gives `loss(generator, device)`."""
    if which == "sam":
        from bench.models.nano.sam_task import SamTask

        return SamTask()
    if which == "sam2":
        from bench.models.nano.sam2_task import Sam2Task

        return Sam2Task()
    from bench.models.nano.dino_task import DinoTask

    return DinoTask()
