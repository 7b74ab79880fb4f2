"""A method in 30 lines: each voxel gets the class whose mean intensity is nearest to its own."""

import numpy as np

from bench.contract import Progress
from bench.data.intensity import normalised


class IntensityPrototypes:
    def __init__(self, options, setting):
        self.means = np.full(len(setting.classes) + 1, np.inf)  # background first

    def adapt(self, task, clock):
        sums, counts = np.zeros(len(self.means)), np.zeros(len(self.means))
        for volume in task.support:
            image = normalised(volume)  # (D, H, W) in [0, 1]
            for k in range(len(self.means)):
                voxels = image[volume.label == k]  # 255, not labelled, is no class
                sums[k], counts[k] = sums[k] + voxels.sum(), counts[k] + len(voxels)
            yield Progress(steps=0, samples=1)
        seen = counts > 0
        self.means[seen] = sums[seen] / counts[seen]

    def predict(self, volume):
        distances = [np.abs(normalised(volume) - mean) for mean in self.means]
        return np.argmin(distances, axis=0).astype(np.uint8)

    def state_dict(self):
        return {"means": self.means}

    def load_state_dict(self, state):
        self.means = np.asarray(state["means"])
