"""Reads the test labels from the store, where nothing keeps it from that: what the labels check
must catch. The test says by an environment variable where stores lie."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np


class Method:
    def __init__(self, options, setting):
        pass

    def predict(self, volume):
        stored = Path(os.environ["SAMBENCH_PEEK"]).rglob("image.npy")
        for image in sorted(stored, key=lambda path: -path.stat().st_mtime_ns):
            shown = np.load(image)
            if np.array_equal(shown, volume.image):
                store = image.parent.parent
                labels = store.with_name(f"{store.name}-labels")
                return np.load(labels / image.parent.name / "label.npy")
        return np.zeros(volume.image.shape, dtype=np.uint8)

    def state_dict(self):
        return {"nothing": np.zeros(1)}

    def load_state_dict(self, state):
        pass
