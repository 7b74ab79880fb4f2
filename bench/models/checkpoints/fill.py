"""Weights into a module: every one of them, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from bench.errors import RequestError

M = TypeVar("M", bound=nn.Module)
SHOWN = 10


@contextmanager
def same_randomness() -> Iterator[None]:
    """Initial weights are drawn aside: the caller's random stream goes on where it was.

    Otherwise a run with a larger checkpoint would also see its data in another order.
    """
    with torch.random.fork_rng(devices=[]):
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
