"""Right on the shapes that it knows, wrong on every other: what the odd volumes must catch."""

from __future__ import annotations

import numpy as np

from bench.contract import Progress


class Method:
    def __init__(self, options, setting):
        self.depth = np.array(0)

    def adapt(self, task, clock):
        self.depth = np.array(task.support[0].image.shape[0])
        yield Progress(steps=0)

    def predict(self, volume):
        depth, height, width = volume.image.shape
        return np.zeros((max(depth, int(self.depth) // 2), height, width), dtype=np.uint8)

    def state_dict(self):
        return {"depth": self.depth}

    def load_state_dict(self, state):
        self.depth = state["depth"]
