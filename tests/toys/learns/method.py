"""Right at step `best` and wrong elsewhere: what the probe curve and val=oracle are tested with."""

from __future__ import annotations

import numpy as np

from bench.contract import Progress


class Method:
    def __init__(self, options, setting):
        self.best = options.best
        self.step = np.zeros(1, dtype=np.int64)

    def adapt(self, task, clock):
        for volume in task.support:
            hidden = np.setdiff1d(np.arange(len(volume.image)), volume.labelled_slices)
            assert (volume.label[hidden] == 255).all()
            assert not volume.label.flags.writeable
        assert all(volume.label is None for volume in task.unlabelled)
        for _ in range(6):
            self.step = self.step + 1
            yield Progress(steps=1, samples=2, loss=1 / float(self.step[0]), epoch=True)

    def predict(self, volume):
        assert volume.label is None
        bright = volume.image > np.quantile(volume.image, 0.6)
        right = int(self.step[0]) == self.best
        return (bright if right else ~bright).astype(np.uint8)

    def state_dict(self):
        return {"step": self.step}

    def load_state_dict(self, state):
        self.step = np.asarray(state["step"])
