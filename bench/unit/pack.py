"""Nested values (dicts, lists, numbers, tensors) as flat tensors and a skeleton of JSON.

What an optimiser, a schedule or a generator of random numbers calls its state is nested. Stored
like this it needs no pickle, and nothing in the file is ever executed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

Skeleton = Any
"""JSON: numbers, texts and null as they are; everything else a list that begins with its kind."""


def pack(value: Any, tensors: dict[str, Any]) -> Skeleton:
    """The skeleton of `value`; its tensors and arrays are put into `tensors` under new names."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, torch.Tensor | np.ndarray):
        name = f"t{len(tensors)}"
        tensors[name] = value
        return ["tensor", name]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return ["dict", *([_key(key), pack(item, tensors)] for key, item in value.items())]
    if isinstance(value, tuple | list):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return [kind, *(pack(item, tensors) for item in value)]
    raise TypeError(
        f"a state holds {type(value).__name__}; only numbers, texts, tensors and arrays"
    )


def _key(key: Any) -> Any:
    if isinstance(key, bool) or not isinstance(key, int | str):
        raise TypeError(f"a state has the key {key!r}; only texts and whole numbers")
    return key


def unpack(skeleton: Skeleton, tensors: dict[str, Any]) -> Any:
    """What `pack` was given."""
    if not isinstance(skeleton, list):
        return skeleton
    kind, *items = skeleton
    if kind == "tensor":
        return tensors[items[0]]
    if kind == "dict":
        return {key: unpack(item, tensors) for key, item in items}
    found = [unpack(item, tensors) for item in items]
    return tuple(found) if kind == "tuple" else found
