"""Embeddings of the support's labelled slices, a few at a time: a budget can end in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.contract import Volume
from bench.models.embeddings.embedded import Embedded
from bench.models.embeddings.frozen import FrozenEncoder
from bench.models.embeddings.inputs import Inputs


@dataclass(frozen=True, eq=False)
class Chunk:
    """A few labelled slices of one volume.

    images  their hashes, and the slices on the canvas on demand
    labels  (N, S, S) uint8 on the canvas, UNLABELLED where nobody labelled
    inner   rows and columns of the canvas that they cover
    """

    patient: str
    images: Inputs
    labels: Tensor
    inner: tuple[int, int]
    embedded: Embedded


Choose = Callable[[Volume], Sequence[int]]
"""Which slices of a volume; indices along its depth."""


def labelled_chunks(
    encoder: FrozenEncoder,
    support: Sequence[Volume],
    *,
    choose: Choose = lambda volume: volume.labelled_slices,
) -> Iterator[Chunk]:
    """The chosen slices of every volume, in their order, a batch at a time."""
    for volume in support:
        assert volume.label is not None
        chosen = list(choose(volume))
        inner = encoder.inner(volume)
        slices = encoder.slices(volume, chosen=chosen)
        for start in range(0, len(chosen), encoder.batch):
            part = range(start, min(start + encoder.batch, len(chosen)))
            images = _part(slices, part)
            label = torch.from_numpy(volume.label[[chosen[i] for i in part]])
            yield Chunk(
                patient=volume.patient,
                images=images,
                labels=encoder.canvas.labels(label),
                inner=inner,
                embedded=encoder.inputs(images, inner=inner),
            )


def _part(whole: Inputs, indices: range) -> Inputs:
    """Some of the images; the volume behind them is normalised once for all parts."""
    return Inputs(
        hashes=whole.hashes[indices.start : indices.stop],
        load=lambda chosen: whole.load([indices[i] for i in chosen]),
    )
