"""Two methods: one has the labels and leaves them, by mistake or not, where another one looks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from bench.models.embeddings import Recipe, image_inputs, open_cache

from .method import Thief, guess, read

RECIPE = Recipe(checkpoint="a frozen encoder", size=8, precision="fp32")
SHARED = Path("/dev/shm/sambench-tests-cheats")


def embedded(setting, volume, label):
    """The "embedding" of a volume's slices: `label` where it is not in the cache already."""
    images = torch.from_numpy(np.array(volume.image, dtype=np.float32))[:, None]
    kept = open_cache(setting.cache, device=setting.device).embed(
        lambda chosen: torch.from_numpy(label[: len(chosen), None].astype(np.float32)),
        image_inputs(images),
        recipe=RECIPE,
        batch=len(images),
    )
    return kept.take().numpy()[:, 0].astype(np.uint8)


class Leaves(Thief):
    def predict(self, volume):
        label = np.array(volume.label)
        embedded(self.setting, volume, label)
        try:
            SHARED.mkdir(exist_ok=True)
            np.save(SHARED / f"{volume.case}.npy", label)
        except OSError as error:
            print("nothing left in shared memory:", error)
        return label


class FromEmbeddings(Thief):
    def look(self, volume):
        yield embedded(self.setting, volume, guess(volume))


class FromSharedMemory(Thief):
    def look(self, volume):
        yield from read(SHARED / f"{volume.case}.npy")
