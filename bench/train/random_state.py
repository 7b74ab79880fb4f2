"""The global random state, to do a step again as it was."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class RandomState:
    """What torch (CPU and the device in use), numpy and Python would draw next."""

    python: Any
    numpy: Any
    cpu: Tensor
    device: torch.device
    cuda: Tensor | None


def random_state(device: torch.device) -> RandomState:
    return RandomState(
        python=random.getstate(),
        numpy=np.random.get_state(),
        cpu=torch.get_rng_state(),
        device=device,
        cuda=torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    )


def set_random_state(state: RandomState) -> None:
    random.setstate(state.python)
    np.random.set_state(state.numpy)
    torch.set_rng_state(state.cpu)
    if state.cuda is not None:
        torch.cuda.set_rng_state(state.cuda, state.device)
