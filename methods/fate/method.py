"""FATE-SAM: SAM 2 finds the labelled slices itself and goes through the volume from its middle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.contract import Clock, Progress, Setting, Task, Volume
from bench.models.sam2.encode import Features
from bench.models.sam2.memory import rows_of
from bench.models.sam2.pool import Pool, empty_pool
from bench.models.sam2.slices import BATCH, sam2_slices
from methods.fate.similarity import distances, halved, joined, nearest


class Fate:
    """pool: SAM 2's memories of the support's slices; seen: its features of them."""

    def __init__(self, options: SimpleNamespace, setting: Setting) -> None:
        self.options, self.classes = options, len(setting.classes)
        self.device = torch.device(setting.device)
        self.segmenter = sam2_slices(
            setting, image_size=options.image_size, precision=options.precision
        )
        self.pool = empty_pool(self.segmenter.sam2, self.classes, self.device)
        self.seen: Features | None = None

    def adapt(self, task: Task, clock: Clock) -> Iterator[Progress]:
        """Every labelled slice is seen once. There is no step and no epoch."""
        for part in self.segmenter.remembered(task.support, classes=self.classes):
            self.pool, features = self.pool + part.pool, halved(part.features)
            self.seen = features if self.seen is None else joined([self.seen, features])
            yield Progress(steps=0, samples=len(part.slices))

    @torch.inference_mode()
    def predict(self, volume: Volume) -> np.ndarray:
        allowed = self.pool.others(volume.patient)
        if self.options.skip_empty:
            allowed &= self.pool.present.any(dim=1)
        if self.seen is None or not allowed.any():
            return np.zeros(volume.image.shape, dtype=np.uint8)
        whole, far = self._seen_volume(volume, self.seen)
        supports = nearest(far, allowed, self.options.supports)
        return self.segmenter.segmented(
            volume,
            self._for_classes(supports, allowed),
            self.pool,
            z_memory=self.options.z_memory,
            encode=lambda chosen: _of(whole, chosen, self.device),
        )

    def _seen_volume(self, volume: Volume, pool: Features) -> tuple[Features, Tensor]:
        """The volume's features, in half precision, and how far each slice is from each of the
        pool: (D, N). Every slice is encoded once."""
        encode = self.segmenter.encoder(volume)
        features, far = [], []
        for part in torch.arange(len(volume.image)).split(BATCH):
            found = encode(part.tolist())
            far.append(distances(found, pool))
            features.append(halved(found))
        return joined(features), torch.cat(far)

    def _for_classes(
        self, supports: Sequence[Sequence[int]], allowed: Tensor
    ) -> list[list[Sequence[int]]]:
        """All classes are shown the same slices. A class that none of them shows is carried on from
        the neighbouring slices, or left out."""
        known = self.pool.present[allowed].any(dim=0).tolist()
        if self.options.absent == "carry":
            return [[numbers if has else () for has in known] for numbers in supports]
        shows = self.pool.present.tolist()
        return [
            [
                numbers if any(shows[number][kind] for number in numbers) else ()
                for kind in range(self.classes)
            ]
            for numbers in supports
        ]

    def parameters(self) -> Iterable[Tensor]:
        """All of them frozen."""
        return self.segmenter.sam2.parameters()

    def state_dict(self) -> Mapping[str, Any]:
        seen = {} if self.seen is None else vars(self.seen)
        return {**self.pool.state(), **seen}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.pool = Pool.from_state(state, self.device)
        levels = [state[name].to(self.device) for name in ("s4", "s8", "s16") if name in state]
        self.seen = Features(*levels) if levels else None


def _of(whole: Features, chosen: Sequence[int], device: torch.device) -> Features:
    some = rows_of(whole, torch.tensor(list(chosen), device=device))
    return Features(*(each.float() for each in vars(some).values()))
