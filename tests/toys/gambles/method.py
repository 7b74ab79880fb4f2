"""By chance when it is made and when it predicts: the same again where both are as they were."""

from __future__ import annotations

import random
import zlib

import numpy as np
import torch


class Method:
    def __init__(self, options, setting):
        self.seed = zlib.crc32(repr(setting).encode())
        self.luck = np.random.random() + float(torch.rand(1))

    def predict(self, volume):
        shape = volume.image.shape
        fixed = np.random.default_rng(self.seed).random(shape)
        drawn = np.random.random(shape) + torch.rand(shape).numpy() + random.random()
        return ((fixed + drawn + self.luck) % 1 < 0.5).astype(np.uint8)

    def state_dict(self):
        return {"nothing": np.zeros(1)}

    def load_state_dict(self, state):
        pass
