"""Finds the label's file from the image's: what the labels check must catch."""

from __future__ import annotations

from pathlib import Path

import numpy as np


class Method:
    def __init__(self, options, setting):
        pass

    def predict(self, volume):
        base = volume.image
        while base is not None and not hasattr(base, "filename"):
            base = base.base
        if base is None:  # a volume that lies in no store
            return np.zeros(volume.image.shape, dtype=np.uint8)
        case = Path(base.filename).parent
        labels = case.parent.with_name(f"{case.parent.name}-labels")
        return np.load(labels / case.name / "label.npy")

    def state_dict(self):
        return {"nothing": np.zeros(1)}

    def load_state_dict(self, state):
        pass
