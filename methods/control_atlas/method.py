"""The mean shape of the support, in coordinates from 0 to 1 along each axis of a volume.

It never looks at an image: whatever scores no better has not looked at one either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from bench.contract import Clock, Progress, Setting, Task, Volume
from bench.protocol import UNLABELLED


def _cell_of(voxels: int, cells: int) -> np.ndarray:
    """For each voxel along an axis, the cell that its centre falls into. (voxels,) int"""
    return np.minimum((np.arange(voxels) + 0.5) * cells / voxels, cells - 1).astype(np.intp)


def _under(cells: int, voxels: int) -> np.ndarray:
    """For each cell along an axis, the voxel under its centre. (cells,) int"""
    return np.minimum((np.arange(cells) + 0.5) * voxels / cells, voxels - 1).astype(np.intp)


def _slices_of(cells: int, depth: int, labelled: tuple[int, ...]) -> np.ndarray:
    """For each cell along the depth, the labelled slice that is nearest to its centre and within
    the cell (or the slice that the cell lies in); -1 where there is none. (cells,) int"""
    known = np.array(sorted(labelled), dtype=np.intp)
    if known.size == 0:
        return np.full(cells, -1)
    centres = (np.arange(cells) + 0.5) * depth / cells - 0.5
    far = np.abs(known - centres[:, None])
    near = np.where(far.min(axis=1) <= max(0.5, depth / cells / 2), far.argmin(axis=1), -1)
    return np.where(near >= 0, known[near], -1)


class Atlas:
    """`share` (K, z, y, x): how much of the support has class k + 1 in this cell."""

    def __init__(self, options: SimpleNamespace, setting: Setting) -> None:
        self.grid = tuple(int(cells) for cells in options.grid)
        self.threshold = options.threshold
        self.share = np.zeros((len(setting.classes), *self.grid), dtype=np.float32)

    def adapt(self, task: Task, clock: Clock) -> Iterator[Progress]:
        seen = np.zeros(self.grid, dtype=np.float32)
        for volume in task.support:
            assert volume.label is not None
            depth, height, width = volume.label.shape
            slices = _slices_of(self.grid[0], depth, volume.labelled_slices)
            rows, columns = _under(self.grid[1], height), _under(self.grid[2], width)
            for z in np.flatnonzero(slices >= 0):  # only what somebody labelled votes
                plane = volume.label[slices[z]][np.ix_(rows, columns)]
                seen[z] += plane != UNLABELLED
                for k in range(len(self.share)):
                    self.share[k, z] += plane == k + 1
        self.share /= np.maximum(seen, 1)
        yield Progress(steps=0, samples=len(task.support), epoch=True)

    def predict(self, volume: Volume) -> np.ndarray:
        depth, rows, columns = (
            _cell_of(v, c) for v, c in zip(volume.image.shape, self.grid, strict=True)
        )
        best = self.share.argmax(axis=0).astype(np.uint8) + 1
        flat = np.where(self.share.max(axis=0) >= self.threshold, best, 0).astype(np.uint8)
        return flat[np.ix_(depth, rows, columns)]

    def state_dict(self) -> Mapping[str, Any]:
        return {"share": self.share}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.share = np.asarray(state["share"])
