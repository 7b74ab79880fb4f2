"""Its state is empty: what the reload check must catch. It also leaves a trace in os.environ."""

from __future__ import annotations

import os

import numpy as np

from bench.contract import Progress


class Method:
    def __init__(self, options, setting):
        self.value = 0

    def adapt(self, task, clock):
        os.environ["SAMBENCH_TRACE"] = "left behind"
        self.value = 1
        yield Progress(steps=0)

    def predict(self, volume):
        return np.full(volume.image.shape, self.value, dtype=np.uint8)

    def state_dict(self):
        return {"nothing": np.zeros(1)}

    def load_state_dict(self, state):
        pass
