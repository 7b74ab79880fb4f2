"""Losses and similarities in float32, whatever the network around them computes in.

Under autocast `.float()` is not enough: the next matrix product takes it back to half precision,
where cosines have three digits and a temperature of 0.1 leaves two of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def in_float32(function: Callable[P, R]) -> Callable[P, R]:
    """The function with its half-precision tensors as float32, and autocast off on their device.
    Gradients go back in each tensor's own dtype."""

    @wraps(function)
    def whole(*args: P.args, **kwargs: P.kwargs) -> R:
        given = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
        if not given:
            raise TypeError(f"{function.__name__} runs in float32 and was given no tensor")
        kind = given[0].device.type
        positional = [_raised(x) for x in args]
        named = {name: _raised(x) for name, x in kwargs.items()}
        if not torch.amp.is_autocast_available(kind):  # "meta": shapes without numbers
            return function(*positional, **named)
        with torch.autocast(kind, enabled=False):
            return function(*positional, **named)

    return whole


def _raised(value: Any) -> Any:
    half = isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16)
    return value.float() if half else value
