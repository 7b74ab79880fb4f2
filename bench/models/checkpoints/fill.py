"""Weights into a module: every one of them, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bench.errors import RequestError

M = TypeVar("M", bound=nn.Module)
SHOWN = 10


class _Undrawn(TorchFunctionMode):
    """Random in-place fills return their tensor as it is."""

    drawing = frozenset({Tensor.uniform_, Tensor.normal_, Tensor.erfinv_})

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0] if func in self.drawing else func(*args, **(kwargs or {}))


@contextmanager
def blank() -> Iterator[None]:
    """For modules that are filled at once: their initial weights are not drawn.

    Drawing takes longer than reading the file (ViT-L: 2 s), and would move the caller's random
    stream, so that a run with another checkpoint would also get another data order.
    """
    with torch.random.fork_rng(devices=[]), _Undrawn():
        yield


def fill(module: nn.Module, weights: Mapping[str, Tensor], *, source: str) -> None:
    """Load all weights; one error lists what is missing, unexpected or of another shape."""
    expected = module.state_dict()
    missing = sorted(expected.keys() - weights.keys())
    unexpected = sorted(weights.keys() - expected.keys())
    misshaped = [
        f"{name} is {_shape(weights[name])}, expected {_shape(tensor)}"
        for name, tensor in expected.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    problems = [
        _listed("missing", missing),
        _listed("unexpected", unexpected),
        _listed("of another shape", misshaped),
    ]
    if any(problems):
        raise RequestError(
            f"{source} does not fit the architecture on its card: "
            + "; ".join(problem for problem in problems if problem)
        )
    module.load_state_dict(weights)


def freeze(module: M, device: str | torch.device) -> M:
    """On the device, in evaluation mode, nothing of it trainable."""
    return module.to(device).eval().requires_grad_(False)


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a scalar"


def _listed(what: str, entries: Sequence[str]) -> str:
    if not entries:
        return ""
    rest = f", and {len(entries) - SHOWN} more" if len(entries) > SHOWN else ""
    return f"{len(entries)} {what}: {', '.join(entries[:SHOWN])}{rest}"
