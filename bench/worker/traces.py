"""The global state of a process that a method should leave as it found it."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

import numpy as np
import torch


def global_state() -> dict[str, str]:
    """What it is -> a hash of how it is."""
    facts: dict[str, object] = {
        "an environment variable": sorted(os.environ.items()),
        "the working directory": str(Path.cwd()),
        "torch's number of threads": torch.get_num_threads(),
        "torch's default dtype": torch.get_default_dtype(),
        "torch's gradient mode": torch.is_grad_enabled(),
        "torch's deterministic mode": torch.are_deterministic_algorithms_enabled(),
        "torch's random state": torch.get_rng_state().numpy().tobytes(),
        "numpy's random state": str(np.random.get_state(legacy=False)),
        "Python's random state": random.getstate(),
    }
    return {name: hashlib.sha256(repr(fact).encode()).hexdigest() for name, fact in facts.items()}
