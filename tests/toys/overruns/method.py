"""Works on for seconds and for steps without a yield: what the budget checks must catch."""

from __future__ import annotations

import time

import numpy as np

from bench.contract import Progress


class Method:
    def __init__(self, options, setting):
        pass

    def adapt(self, task, clock):
        if clock.step_limit is None:
            time.sleep(7)
        yield Progress(steps=1000, samples=1)

    def predict(self, volume):
        return np.zeros(volume.image.shape, dtype=np.uint8)

    def state_dict(self):
        return {"nothing": np.zeros(1)}

    def load_state_dict(self, state):
        pass
