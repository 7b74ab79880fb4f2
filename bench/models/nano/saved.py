"""The state of a training run on disk: written whole or not at all, read without executing it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from bench.errors import RequestError
from bench.record.whole import whole


def save_state(path: Path, state: dict[str, Any]) -> None:
    """A kill leaves the old or the new state."""
    with whole(path, lasting=True) as scratch, scratch.open("wb") as stream:
        torch.save(state, stream)  # a stream: of a path it would keep the name


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
