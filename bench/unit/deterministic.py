"""Torch's deterministic algorithms: on CUDA a sum is otherwise made in whatever order it comes."""

from __future__ import annotations

import os

from bench.cards import OnCuda


def make_deterministic(device: str, repeats: OnCuda) -> None:
    """For the rest of this process, before anything runs on the GPU. A CPU needs none of it.

    repeats  what the method's card says: torch raises where one that repeats uses an operation of
             which there is no deterministic algorithm, and goes on where the card says "close"
    """
    if not device.startswith("cuda"):
        return
    import torch

    # cuBLAS: two buffers of fixed size, or its sums depend on which stream came first.
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    torch.use_deterministic_algorithms(True, warn_only=repeats == "close")
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
