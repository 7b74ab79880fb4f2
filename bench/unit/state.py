"""An adapted method on the disk: safetensors, beside a JSON that says how to rebuild it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from bench.errors import RequestError
from bench.record.whole import whole


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Atomic. Tensors and numpy arrays keep their kind; anything else is refused by name."""
    tensors: dict[str, torch.Tensor] = {}
    arrays: list[str] = []
    for name, value in state.items():
        if isinstance(value, np.ndarray):
            arrays.append(name)
            tensors[name] = _as_tensor(name, value)
        elif isinstance(value, torch.Tensor):
            tensors[name] = value.detach().cpu().clone().contiguous()
        else:
            raise TypeError(
                f"state_dict: {name} is {type(value).__name__}; only tensors and numpy arrays"
            )
    with whole(path) as scratch:
        save_file(tensors, scratch, metadata={"arrays": json.dumps(arrays)})


def _as_tensor(name: str, array: np.ndarray) -> torch.Tensor:
    """A copy; a 0-d array stays 0-d."""
    try:
        return torch.from_numpy(np.array(array, order="C"))
    except TypeError:
        raise TypeError(
            f"state_dict: {name} is an array of {array.dtype}; only numbers and booleans"
        ) from None


def load_state(path: Path) -> dict[str, Any]:
    """Name -> tensor or array, as they were saved. Nothing in the file is executed."""
    try:
        with safe_open(path, framework="pt") as file:
            arrays = set(json.loads((file.metadata() or {}).get("arrays", "[]")))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise RequestError(f"{path}: not a readable state: {error}") from None
    return {n: t.numpy() if n in arrays else t for n, t in tensors.items()}


def snapshot(state: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that later training does not touch."""
    return {
        name: value.detach().clone() if isinstance(value, torch.Tensor) else np.copy(value)
        for name, value in state.items()
    }
