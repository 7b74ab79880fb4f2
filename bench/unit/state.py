"""An adapted method on the disk: safetensors, with a checksum over all that is in it."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from bench.errors import RequestError
from bench.record.whole import WriteError, whole


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
            raise _unknown_kind(name, value)
    listed = json.dumps(arrays)
    facts = {"arrays": listed, "checksum": _checksum(tensors, listed)}
    with whole(path) as scratch:
        try:
            save_file(tensors, scratch, metadata=facts)
        except SafetensorError as error:  # its word for what the system refused
            raise WriteError(path, error) from error


def _unknown_kind(name: str, value: object) -> TypeError:
    return TypeError(f"state_dict: {name} is {type(value).__name__}; only tensors and numpy arrays")


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
            facts = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        listed = facts.pop("arrays", "[]")
        said = facts.pop("checksum", None)  # states from before there were checksums have none
        if facts or (said is not None and said != _checksum(tensors, listed)):
            raise ValueError("its checksum is another one")
        arrays = set(json.loads(listed))
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise RequestError(f"{path}: not a readable state: {error}") from None
    return {n: t.numpy() if n in arrays else t for n, t in tensors.items()}


def _checksum(tensors: Mapping[str, torch.Tensor], listed: str) -> str:
    """CRC-32 over names, kinds, shapes and values: a flipped bit is another network."""
    total = zlib.crc32(listed.encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        total = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), total)
        total = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, total)
    return f"{total:08x}"


def state_hash(state: Mapping[str, Any]) -> str:
    """Of names, kinds, shapes and values: tells whether a method is still the one it was."""
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name]
        array = value.detach().cpu().contiguous() if isinstance(value, torch.Tensor) else value
        if not isinstance(array, torch.Tensor | np.ndarray):
            raise _unknown_kind(name, value)
        tensor = array if isinstance(array, torch.Tensor) else _as_tensor(name, array)
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def snapshot(state: Mapping[str, Any]) -> dict[str, Any]:
    """A copy that later training does not touch."""
    return {
        name: value.detach().clone() if isinstance(value, torch.Tensor) else np.copy(value)
        for name, value in state.items()
    }
