"""Pre-training that leaves a number behind: shared, charged and labels out of sight."""

from __future__ import annotations

import numpy as np

from bench.contract import Progress


class Method:
    def __init__(self, options, setting):
        self.width = options.width
        self.resumes = options.resumes
        self.total = np.zeros(1)

    def pretrain(self, task, clock):
        assert not task.support
        assert all(volume.label is None for volume in task.unlabelled)
        if self.resumes:
            clock.resume(all=self)
        while True:
            self.total = self.total + 1
            yield Progress(steps=1, samples=2)

    def adapt(self, task, clock):
        if self.width:
            self.total = np.asarray(task.pretrained["total"])
        while True:
            self.total = self.total + 100
            yield Progress(steps=1, samples=1)

    def predict(self, volume):
        return np.zeros(volume.image.shape, dtype=np.uint8)

    def state_dict(self):
        return {"total": self.total}

    def load_state_dict(self, state):
        self.total = np.asarray(state["total"])
