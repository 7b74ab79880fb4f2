"""The U-Net on wrong labels: each case learns another's. If this scores well, something leaks.

Where there is one case, its slices get each other's labels. What is left to learn is where the
structures usually lie, so it may come near the atlas, and nowhere near the U-Net.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from bench.contract import Clock, Progress, Task, Volume
from methods.unet.method import UNet


def _resample(label: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The nearest voxel at the same relative place: (D, H, W) -> shape."""
    index = [
        np.minimum((np.arange(t) + 0.5) * s / t, s - 1).astype(np.intp)
        for t, s in zip(shape, label.shape, strict=True)
    ]
    return label[np.ix_(*index)]


def shuffled(support: Sequence[Volume], seed: int) -> list[Volume]:
    """The same images, each with the label of the next case (or slice) in a random circle."""
    random = np.random.default_rng(seed)
    labels = [volume.label for volume in support if volume.label is not None]
    if len(support) > 1:
        order = random.permutation(len(support))
        giver = {order[i]: order[i - 1] for i in range(len(order))}
        return [
            replace(
                volume,
                label=_resample(labels[giver[i]], volume.image.shape),
                labelled_slices=tuple(range(volume.image.shape[0])),
            )
            for i, volume in enumerate(support)
        ]
    (volume,), (label,) = support, labels
    slices = random.permutation(volume.labelled_slices)
    wrong = label.copy()
    wrong[slices] = label[np.roll(slices, 1)]
    return [replace(volume, label=wrong)]


class Shuffled(UNet):
    def adapt(self, task: Task, clock: Clock) -> Iterator[Progress]:
        support = shuffled(task.support, task.setting.seed)
        yield from super().adapt(replace(task, support=support), clock)
