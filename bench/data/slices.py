"""Volumes as stacks of 2D slices on a square canvas, and label maps back on the volume's grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from bench.contract import Volume
from bench.data.intensity import normalised
from bench.protocol import UNLABELLED


@dataclass(frozen=True)
class Canvas:
    """A slice is resized so that its long side is `size`, and padded at the bottom and right."""

    size: int

    def inner(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the canvas that an (H, W) slice covers."""
        scale = self.size / max(height, width)
        return max(1, round(height * scale)), max(1, round(width * scale))

    def images(self, stack: torch.Tensor) -> torch.Tensor:
        """(N, H, W) -> (N, 1, size, size), bilinear, padded with 0."""
        rows, columns = self.inner(*stack.shape[-2:])
        resized = F.interpolate(
            stack[:, None].float(),
            size=(rows, columns),
            mode="bilinear",
            align_corners=False,
            antialias=True,
        )
        return F.pad(resized, (0, self.size - columns, 0, self.size - rows))

    def labels(self, stack: torch.Tensor) -> torch.Tensor:
        """(N, H, W) -> (N, size, size) uint8, nearest; the padding is UNLABELLED: no loss there."""
        rows, columns = self.inner(*stack.shape[-2:])
        resized = F.interpolate(stack[:, None].float(), size=(rows, columns), mode="nearest-exact")
        pad = (0, self.size - columns, 0, self.size - rows)
        return F.pad(resized, pad, value=UNLABELLED)[:, 0].to(torch.uint8)

    def scores_back(self, scores: torch.Tensor, height: int, width: int) -> torch.Tensor:
        """(N, C, s, s) on the canvas, at any resolution s -> (N, C, height, width), bilinear, in
        one step: straight from the scores' own grid to the slice's."""
        rows, columns = self.inner(height, width)
        cells = scores.shape[-1] / self.size  # of a canvas pixel; a slice may end within a cell
        inside = scores[..., : math.ceil(rows * cells), : math.ceil(columns * cells)]
        if scores.shape[-1] == self.size:
            return F.interpolate(inside, size=(height, width), mode="bilinear", align_corners=False)
        whole = F.interpolate(
            F.pad(inside, (0, 1, 0, 1), mode="replicate"),
            scale_factor=(height / (rows * cells), width / (columns * cells)),
            mode="bilinear",
            align_corners=False,
        )
        return whole[..., :height, :width]


def highest(scores: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) -> (N, H, W) uint8: the class of the highest score, the first of equals. By
    `max`: on a CPU `argmax` takes five times as long over a dimension that is not the last."""
    return scores.max(dim=1).indices.to(torch.uint8)


@dataclass(frozen=True, eq=False)
class SliceSet:
    """Slices on the canvas, in memory. images (N, 1, s, s) float32, labels (N, s, s) uint8."""

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.images)


def labelled_slices(support: Sequence[Volume], canvas: Canvas) -> SliceSet:
    """Every labelled slice of the support, with and without a structure in it."""
    images, labels = [], []
    for volume in support:
        assert volume.label is not None
        chosen = list(volume.labelled_slices)
        images.append(canvas.images(torch.from_numpy(normalised(volume)[chosen])))
        labels.append(canvas.labels(torch.from_numpy(volume.label[chosen].copy())))
    return SliceSet(images=torch.cat(images), labels=torch.cat(labels))


def volume_slices(volume: Volume, canvas: Canvas) -> torch.Tensor:
    """All slices of a volume: (D, 1, size, size) float32."""
    return canvas.images(torch.from_numpy(normalised(volume)))


def long_side(volumes: Sequence[Volume]) -> int:
    """Median of the longer in-plane side, in pixels."""
    return int(np.median([max(volume.image.shape[1:]) for volume in volumes]))
