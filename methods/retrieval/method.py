"""Similar labelled slices are found by DINO, and SAM 2's memory segments with them. No training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.contract import Clock, Progress, Setting, Task, Volume
from bench.models.sam2.pool import Pool, empty_pool
from bench.models.sam2.slices import sam2_slices
from methods.retrieval.neighbours import chosen, ranked
from methods.retrieval.similarity import similarity_encoder, width_of


class Retrieval:
    """pool: SAM 2's memories of the support's slices; vectors (N, C): what they are found by."""

    def __init__(self, options: SimpleNamespace, setting: Setting) -> None:
        self.options, self.classes = options, len(setting.classes)
        self.device = torch.device(setting.device)
        self.segmenter = sam2_slices(
            setting, image_size=options.image_size, precision=options.precision
        )
        self.dino, self.finder = similarity_encoder(
            setting,
            feature=options.feature,
            size=options.dino_size,
            precision=options.precision,
        )
        self.pool = empty_pool(self.segmenter.sam2, self.classes, self.device)
        width = width_of(options.feature, self.dino)
        self.vectors = torch.zeros(0, width, device=self.device)

    def adapt(self, task: Task, clock: Clock) -> Iterator[Progress]:
        """Every labelled slice is seen once. There is no step and no epoch."""
        for part in self.segmenter.remembered(task.support, classes=self.classes):
            found = self._vectors(part.volume, part.slices)
            self.pool, self.vectors = self.pool + part.pool, torch.cat([self.vectors, found])
            yield Progress(steps=0, samples=len(part.slices))

    def _vectors(self, volume: Volume, slices: Iterable[int] | None = None) -> Tensor:
        chosen_slices = None if slices is None else list(slices)
        return self.finder.volume(volume, chosen=chosen_slices).take().to(self.device).float()

    def predict(self, volume: Volume) -> np.ndarray:
        allowed = self.pool.others(volume.patient)
        ranking = ranked(self._vectors(volume), self.vectors, allowed)
        neighbours = chosen(
            ranking.tolist(),
            self.pool.present,
            k=self.options.k,
            keep_empty=self.options.keep_empty,
            absent=self.options.absent,
            order=self.options.order,
        )
        return self.segmenter.segmented(
            volume, neighbours, self.pool, z_memory=self.options.z_memory
        )

    def parameters(self) -> Iterable[Tensor]:
        """All of them frozen."""
        return chain(self.segmenter.sam2.parameters(), self.dino.parameters())

    def state_dict(self) -> Mapping[str, Any]:
        return {**self.pool.state(), "vectors": self.vectors}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.pool = Pool.from_state(state, self.device)
        self.vectors = state["vectors"].to(self.device)
