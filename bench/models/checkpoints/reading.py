"""Tensors out of a file. Nothing in the file is ever executed."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.errors import RequestError


def read_weights(path: Path, *, nesting: str = "") -> dict[str, Tensor]:
    """Name -> tensor on the CPU. `nesting`: the key of the file under which they lie."""
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    content = _read_torch(path)
    if nesting:
        content = _inside(path, content, nesting)
    if not isinstance(content, Mapping):
        raise RequestError(f"{path} holds a {type(content).__name__}, not named tensors")
    strangers = [name for name, value in content.items() if not isinstance(value, Tensor)]
    if strangers or not content:
        found = ", ".join(map(str, list(content)[:5])) or "nothing"
        raise RequestError(
            f"{path} does not hold named tensors where its card says "
            f"({f'under {nesting!r}' if nesting else 'at its top'}); found there: {found}"
        )
    return dict(content)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise RequestError(f"{path} is not readable as safetensors: {_flat(error)}") from error


def _read_torch(path: Path) -> Any:
    """What `torch.save` wrote. Mapped into memory: only what is looked at is read."""
    if not path.is_file():
        raise RequestError(f"{path} is no file")
    try:
        # Files of before torch 1.6 are no zip archives, and those cannot be mapped.
        return torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except MemoryError:
        raise
    except Exception as error:  # the pickle machine raises nearly anything on broken bytes
        raise RequestError(_refusal(path, error)) from error


def _refusal(path: Path, error: Exception) -> str:
    """Code in the file, or no checkpoint at all?"""
    asked = re.search(r"GLOBAL ([\w.]+)", str(error))
    if isinstance(error, pickle.UnpicklingError) and asked:
        return (
            f"{path} is refused: it holds more than weights (a call of {asked[1]}), and loading "
            "that would run code; nothing of it was run. Get the file from its publisher"
        )
    kind = "another kind of pickle" if isinstance(error, pickle.UnpicklingError) else _flat(error)
    return f"{path} is not readable as a PyTorch checkpoint ({kind}); remove it and get it again"


def _inside(path: Path, content: Any, key: str) -> Any:
    if not isinstance(content, Mapping) or key not in content:
        found = (
            ", ".join(map(str, list(content)[:5])) if isinstance(content, Mapping) else "no keys"
        )
        raise RequestError(
            f"{path} has no key {key!r}, where its card says the weights lie: {found}"
        )
    return content[key]


def _flat(error: BaseException) -> str:
    """The first sentence of an error, in one line."""
    line = " ".join(str(error).split()).partition(". ")[0]
    return line if len(line) > 12 else f"{type(error).__name__} {line}".strip()
