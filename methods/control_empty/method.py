"""Predicts nothing: the floor of every score."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from bench.contract import Setting, Volume


class Empty:
    def __init__(self, options: SimpleNamespace, setting: Setting) -> None:
        self.options = options

    def predict(self, volume: Volume) -> np.ndarray:
        return np.zeros(volume.image.shape, dtype=np.uint8)

    def state_dict(self) -> Mapping[str, Any]:
        return {"nothing": np.zeros(0, dtype=np.uint8)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """There is nothing to load."""
