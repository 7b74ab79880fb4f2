"""The mean shape of the support, in coordinates from 0 to 1 along each axis of a volume.

It never looks at an image: whatever scores no better has not looked at one either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from bench.contract import Clock, Progress, Setting, Task, Volume


def _cell_of(voxels: int, cells: int) -> np.ndarray:
    """For each voxel along an axis, the cell that its centre falls into. (voxels,) int"""
    return np.minimum((np.arange(voxels) + 0.5) * cells / voxels, cells - 1).astype(np.intp)


def _nearest(target: int, source: int) -> np.ndarray:
    """For each of `target` cells, the source voxel under its centre. (target,) int"""
    return np.minimum((np.arange(target) + 0.5) * source / target, source - 1).astype(np.intp)


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
            index = [_nearest(t, s) for t, s in zip(self.grid, volume.label.shape, strict=True)]
            # Only slices that somebody labelled vote: a cell takes the nearest of those within it.
            cells, rows, columns = index
            known = np.isin(cells, volume.labelled_slices)
            for z in np.flatnonzero(known):
                plane = volume.label[cells[z]][np.ix_(rows, columns)]
                seen[z] += 1
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
