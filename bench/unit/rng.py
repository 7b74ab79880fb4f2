"""The global random states, swapped in for the method and out for everybody else.

A method may use torch's, numpy's and Python's global generators as it likes: they are its own. A
probe between two steps draws from another stream, so that looking at a run does not change it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


def _capture() -> tuple[Any, ...]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    return random.getstate(), np.random.get_state(), torch.get_rng_state(), cuda


def _restore(state: tuple[Any, ...]) -> None:
    random.setstate(state[0])
    np.random.set_state(state[1])
    torch.set_rng_state(state[2])
    if state[3] is not None:
        torch.cuda.set_rng_state_all(state[3])


@dataclass
class RandomStream:
    """One seeded stream of global randomness; `use` makes it current for a while."""

    seed: int
    _state: tuple[Any, ...] | None = None

    @property
    def state(self) -> tuple[Any, ...]:
        """What `make_current` takes; of a stream that was used."""
        assert self._state is not None
        return self._state

    @staticmethod
    def make_current(state: tuple[Any, ...]) -> None:
        """Within `use`: the stream goes on from here."""
        _restore(state)

    @contextmanager
    def use(self) -> Iterator[None]:
        """For all that a method does. A process that it forked ends where it would come back to the
        harness: it would score and record the unit a second time."""
        outside, home = _capture(), os.getpid()
        if self._state is None:
            random.seed(self.seed)
            np.random.seed(self.seed % 2**32)
            torch.manual_seed(self.seed)
        else:
            _restore(self._state)
        try:
            yield
        finally:
            if os.getpid() != home:
                os._exit(0)
            self._state = _capture()
            _restore(outside)


def prediction_stream(seed: int) -> RandomStream:
    """Chance of a prediction: a probe predicts between two steps, and leaves training its own."""
    return RandomStream(seed + 1)
