"""Puts the device into torch, once a process, before the first backward pass."""

from __future__ import annotations

import threading
from typing import Any

import torch

from . import cuda
from .backward import answer_for_the_driver
from .counting import write_at_the_end
from .dispatch import Mode
from .kernels import scaled_dot_product_attention
from .loading import pretend_load, rebuilt
from .randomness import Generator
from .version import refusal

_installed: list[Any] = []


def install() -> None:
    if _installed:
        return
    problem = refusal()
    if problem is not None:
        raise SystemExit(problem)
    torch._C._ensureCUDADeviceGuardSet()
    answer_for_the_driver()
    # A tensor that is made of numbers is made on the host, and then sent.
    torch._C._set_only_lift_cpu_tensors(True)
    torch.backends.cudnn.enabled = False  # its kernels are called below the dispatcher
    cuda.replace()
    torch.Generator = Generator  # type: ignore[assignment,misc]
    torch.random.Generator = Generator  # type: ignore[attr-defined]
    torch.load = pretend_load(torch.load)
    torch.serialization.add_safe_globals([rebuilt])
    attention = scaled_dot_product_attention(torch._C._nn.scaled_dot_product_attention)
    torch.nn.functional.scaled_dot_product_attention = attention
    torch._C._nn.scaled_dot_product_attention = attention
    torch.Tensor.pin_memory = lambda self, device=None: self.clone()  # type: ignore[assignment]
    _in_every_thread()
    write_at_the_end()


def _in_every_thread() -> None:
    mode = Mode()
    mode.__enter__()
    _installed.append(mode)
    bootstrap = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]

    def with_mode(self: threading.Thread) -> None:
        with Mode():
            bootstrap(self)

    threading.Thread._bootstrap_inner = with_mode  # type: ignore[attr-defined]
