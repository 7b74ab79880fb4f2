"""Adam and AdamW in one kernel a step, where torch has one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

Given = Iterable[Tensor] | Iterable[dict[str, Any]]
FUSED = ("cpu", "cuda")
"""Types of devices on which torch has the fused kernel."""


def adamw(parameters: Given, **options: Any) -> torch.optim.AdamW:
    """parameters: as torch takes them, or groups of them, each with its own rate."""
    groups = _groups(parameters)
    return torch.optim.AdamW(groups, fused=_has_kernel(groups), **options)


def adam(parameters: Given, **options: Any) -> torch.optim.Adam:
    groups = _groups(parameters)
    return torch.optim.Adam(groups, fused=_has_kernel(groups), **options)


def _groups(parameters: Given) -> list[dict[str, Any]]:
    listed: list[Any] = list(parameters)
    if listed and isinstance(listed[0], dict):
        return [{**group, "params": list(group["params"])} for group in listed]
    return [{"params": listed}]


def _has_kernel(groups: list[dict[str, Any]]) -> bool:
    """Of all of them: an optimiser is fused as a whole or not at all."""
    return all(
        value.device.type in FUSED and value.is_floating_point()
        for group in groups
        for value in group["params"]
    )
