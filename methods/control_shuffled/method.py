"""The U-Net on wrong labels: each case learns another's. If this scores well, something leaks.

Where there is one case, its slices get each other's labels; where there is one slice, it gets its
own label turned by 180 degrees. What is left to learn is where the structures usually lie, so it
may come near the atlas, and nowhere near the U-Net.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from bench.contract import Clock, Progress, Task, Volume
from bench.protocol import UNLABELLED
from methods.unet.method import UNet


def _stretched(target: int, source: int) -> np.ndarray:
    """For each of `target` places along an axis, the source place at the same share. (target,)"""
    return np.minimum((np.arange(target) + 0.5) * source / target, source - 1).astype(np.intp)


def _with_label_of(taker: Volume, giver: Volume) -> Volume:
    """The taker's labelled slices, each with the giver's labelled slice at the same share of its
    depth, stretched to the taker's rows and columns."""
    assert taker.label is not None
    assert giver.label is not None
    taking, giving = np.array(taker.labelled_slices), np.array(giver.labelled_slices)
    place = [_stretched(t, s) for t, s in zip(taker.label.shape, giver.label.shape, strict=True)]
    chosen = giving[_stretched(len(taking), len(giving))]
    label = np.full(taker.label.shape, UNLABELLED, dtype=np.uint8)
    label[taking] = giver.label[np.ix_(chosen, *place[1:])]
    return replace(taker, label=label)


def shuffled(support: Sequence[Volume], seed: int) -> list[Volume]:
    """The same images, each with the label of the next case (or slice) in a random circle."""
    random = np.random.default_rng(seed)
    if len(support) > 1:
        order = random.permutation(len(support))
        giver = {order[i]: order[i - 1] for i in range(len(order))}
        return [_with_label_of(volume, support[giver[i]]) for i, volume in enumerate(support)]
    (volume,) = support
    assert volume.label is not None
    slices = random.permutation(volume.labelled_slices)
    wrong = volume.label.copy()
    if len(slices) > 1:
        wrong[slices] = volume.label[np.roll(slices, 1)]
    else:
        wrong[slices] = volume.label[slices, ::-1, ::-1]
    return [replace(volume, label=wrong)]


class Shuffled(UNet):
    def adapt(self, task: Task, clock: Clock) -> Iterator[Progress]:
        support = shuffled(task.support, task.setting.seed)
        yield from super().adapt(replace(task, support=support), clock)
