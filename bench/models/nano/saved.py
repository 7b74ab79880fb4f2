"""The state of a training run on disk: written whole or not at all, read without executing it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.errors import RequestError


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write next to the target and rename, so that a kill leaves the old or the new state."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with open(part, "wb") as stream:
        torch.save(state, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(part, path)


def load_state(path: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """The saved state, None where there is none; refused where it belongs to another plan."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    for name, value in asked.items():
        if state["plan"][name] != value:
            raise RequestError(
                f"{path} was trained with {name}={state['plan'][name]}, not {name}={value}; "
                "give the same value or another out="
            )
    return state


def tensors_equal(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    """Whether two state dictionaries hold the same names and the same bits."""
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)
