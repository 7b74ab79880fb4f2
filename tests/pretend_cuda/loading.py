"""Pickled tensors, and `torch.load` with its map_location."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

_place = threading.local()


def rebuilt(inner: Tensor, index: int, requires_grad: bool, is_parameter: bool) -> Tensor:
    """Back on the device that it came from, unless the caller said the CPU."""
    tensor = inner if getattr(_place, "cpu", False) else inner.to(torch.device("cuda", index))
    if is_parameter:
        return nn.Parameter(tensor, requires_grad)
    return tensor.requires_grad_(requires_grad)


def pretend_load(load: Callable[..., Any]) -> Callable[..., Any]:
    def loaded(f: Any, map_location: Any = None, **more: Any) -> Any:
        known = isinstance(map_location, str | torch.device)
        to = torch.device(map_location) if known else None
        _place.cpu = to is not None and to.type == "cpu"
        try:
            if to is None or to.type != "cuda":
                return load(f, map_location=map_location, **more)
            found = load(f, map_location="cpu", **more)
        finally:
            _place.cpu = False
        return tree_map(lambda each: each.to(to) if isinstance(each, Tensor) else each, found)

    return loaded
