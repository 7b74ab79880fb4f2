"""Logistic regression on the frozen patch features of the labelled slices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.contract import Clock, Progress, Setting, Task, Volume
from bench.data.transfer import to_device
from bench.models.embeddings.labelled import labelled_chunks
from bench.protocol import UNLABELLED
from methods.linear_probe.features import FAMILIES
from methods.linear_probe.logistic import Logistic, fit, untrained

BATCH = 16


class LinearProbe:
    """What a frozen encoder knows by itself: one linear map of each cell's features."""

    def __init__(self, options: SimpleNamespace, setting: Setting) -> None:
        self.options, self.seed = options, setting.seed
        self.device = torch.device(setting.device)
        self.encoder, channels = FAMILIES[options.family](options, setting)
        self.model = untrained(len(setting.classes) + 1, channels, self.device)

    def adapt(self, task: Task, clock: Clock) -> Iterator[Progress]:
        features, labels = [], []
        for chunk in labelled_chunks(self.encoder, task.support):
            cells = chunk.embedded.take()
            grid = F.interpolate(
                chunk.labels[:, None].float(), size=cells.shape[-2:], mode="nearest-exact"
            )[:, 0].long()
            known = grid != UNLABELLED
            features.append(cells.permute(0, 2, 3, 1)[known])
            labels.append(grid[known])
            yield Progress(steps=0)
        chosen = self._chosen(sum(len(part) for part in labels))
        iterations = fit(
            self.model,
            torch.cat(features)[chosen].to(self.device).float(),
            torch.cat(labels)[chosen].to(self.device),
            balance=self.options.balance,
            l2=self.options.l2,
        )
        slices = sum(len(volume.labelled_slices) for volume in task.support)
        for _, loss in zip(range(self.options.iterations), iterations, strict=False):
            yield Progress(samples=slices, loss=loss, epoch=True)

    def _chosen(self, count: int) -> Tensor:
        """Indices of the cells that are fitted: all, or some at random where they are too many."""
        if count <= self.options.cells:
            return torch.arange(count)
        generator = torch.Generator().manual_seed(self.seed)
        return torch.randperm(count, generator=generator)[: self.options.cells]

    @torch.inference_mode()
    def predict(self, volume: Volume) -> np.ndarray:
        """Scores are resized from the cells to the volume's own grid, labels never."""
        height, width = volume.image.shape[1:]
        kept = self.encoder.volume(volume)
        found = []
        for part in torch.arange(len(kept)).split(BATCH):
            scores = self.model(to_device(kept.take(part), self.device).float())
            native = self.encoder.canvas.scores_back(scores, height, width)
            found.append(native.argmax(dim=1).to(torch.uint8))
        return torch.cat(found).cpu().numpy()  # one wait for the device a volume

    def parameters(self) -> Iterable[Tensor]:
        """Those that are fitted; the encoder's are frozen."""
        yield from (self.model.weight, self.model.bias)

    def state_dict(self) -> Mapping[str, Any]:
        return asdict(self.model)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.model = Logistic(**{name: value.to(self.device) for name, value in state.items()})
