"""The slices that a pre-training learns from: of all unlabelled volumes, read when first seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from bench.contract import Volume
from bench.data.intensity import window
from bench.data.slices import Canvas
from bench.data.transfer import fits, to_device
from bench.errors import RequestError

BRIGHT, SHARE = 0.05, 0.05
"""A slice with fewer than SHARE of its pixels above BRIGHT is background and left out."""
LOOK = 32
"""Pixels a side that are looked at to tell: about."""


class SlicePool:
    """Slices on the canvas in [0, 1], half precision in memory once they were asked for: in that of
    the device where they fit beside a training, else in the host's."""

    def __init__(
        self,
        volumes: Sequence[Volume],
        canvas: Canvas,
        *,
        limit: int,
        device: torch.device | str = "cpu",
    ) -> None:
        """limit: slices at most, drawn evenly from all that there are by torch's own generator."""
        self.canvas = canvas
        self.windows = [window(volume) for volume in volumes]
        self.volumes = volumes
        places = [
            (number, int(z))
            for number in range(len(volumes))
            for z in np.flatnonzero(self._filled(number))
        ]
        if not places:
            raise RequestError(
                f"{len(volumes)} unlabelled volumes without a slice that shows anything: "
                f"each has less than {SHARE:.0%} of its pixels above {BRIGHT:.0%} of its window"
            )
        chosen = torch.randperm(len(places))[:limit].tolist()
        self.places = [places[i] for i in sorted(chosen)]
        side = canvas.size
        near = fits(len(self.places) * side * side * torch.float16.itemsize, device)
        self._stack = torch.empty(
            len(self.places), 1, side, side, dtype=torch.float16, device=device if near else "cpu"
        )
        self._there = torch.zeros(len(self.places), dtype=torch.bool)

    def __len__(self) -> int:
        return len(self.places)

    def take(self, chosen: Tensor) -> Tensor:
        """indices (B,) -> slices (B, 1, S, S) float32."""
        return self.gather(chosen).float()

    def gather(self, chosen: Tensor) -> Tensor:
        """The same as they are kept: float16, where they lie."""
        for index in chosen[~self._there[chosen]].unique().tolist():
            number, z = self.places[index]
            grey = torch.from_numpy(self._grey(number, np.s_[z : z + 1]))
            self._stack[index] = to_device(self.canvas.images(grey)[0], self._stack.device)
            self._there[index] = True
        return self._stack[to_device(chosen, self._stack.device)]

    def _filled(self, number: int) -> np.ndarray:
        """(D,) bool: slices of this volume that show something."""
        height, width = self.volumes[number].image.shape[1:]
        every = np.s_[:, :: max(1, height // LOOK), :: max(1, width // LOOK)]
        return (self._grey(number, every) > BRIGHT).mean((1, 2)) >= SHARE

    def _grey(self, number: int, part: slice | tuple[slice, ...]) -> np.ndarray:
        """A part of a volume in [0, 1], on the scale of the whole volume."""
        low, high = self.windows[number]
        image = self.volumes[number].image[part].astype(np.float32)
        return np.clip((image - low) / (high - low), 0.0, 1.0)
