"""Copies the mask of the most similar labelled slice: retrieval without any learnt feature.

Similarity is the correlation of thumbnails, plus nothing: no position, no training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from bench.contract import Clock, Progress, Setting, Task, Volume
from bench.data.slices import Canvas, labelled_slices, volume_slices
from bench.protocol import UNLABELLED


class Nearest:
    """thumbs (N, t * t) unit vectors; masks (N, size, size) uint8."""

    def __init__(self, options: SimpleNamespace, setting: Setting) -> None:
        self.thumb = options.thumb
        self.canvas = Canvas(options.size)
        self.classes = len(setting.classes)
        self.thumbs = torch.zeros(0, self.thumb**2)
        self.masks = torch.zeros(0, options.size, options.size, dtype=torch.uint8)

    def adapt(self, task: Task, clock: Clock) -> Iterator[Progress]:
        data = labelled_slices(task.support, self.canvas)
        self.thumbs = self._thumbnails(data.images)
        self.masks = torch.where(data.labels == UNLABELLED, 0, data.labels)
        yield Progress(steps=0, samples=len(data), epoch=True)

    def _thumbnails(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 1, s, s) -> (N, t * t), zero mean and unit length: a product is a correlation."""
        small = F.adaptive_avg_pool2d(images, self.thumb).flatten(1)
        return F.normalize(small - small.mean(dim=1, keepdim=True), dim=1)

    def predict(self, volume: Volume) -> np.ndarray:
        query = self._thumbnails(volume_slices(volume, self.canvas))
        nearest = (query @ self.thumbs.T).argmax(dim=1)
        masks = F.one_hot(self.masks[nearest].long(), self.classes + 1).movedim(-1, 1).float()
        height, width = volume.image.shape[1:]
        return self.canvas.scores_back(masks, height, width).argmax(dim=1).to(torch.uint8).numpy()

    def state_dict(self) -> Mapping[str, Any]:
        return {"thumbs": self.thumbs, "masks": self.masks}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.thumbs, self.masks = state["thumbs"], state["masks"]
