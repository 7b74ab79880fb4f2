"""SAM 2 for methods without training: labelled slices into its memory, volumes out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from bench.contract import Setting, Volume
from bench.data.intensity import normalised
from bench.data.slices import Canvas
from bench.models.checkpoints import card_of
from bench.models.checkpoints.card import CheckpointCard
from bench.models.checkpoints.normalise import normalise
from bench.models.logits import labels_of
from bench.models.sam2.build import build_sam2
from bench.models.sam2.encode import Features, encode
from bench.models.sam2.pool import Pool, remember_labels
from bench.models.sam2.recall import Chosen, recall, recall_volume
from bench.options import given
from bench.train.halving import Halving
from bench.train.precision import Precision, Resolved, autocast, resolve_precision

if TYPE_CHECKING:
    from sam2.sam2_video_predictor import SAM2VideoPredictor

Encode = Callable[[Sequence[int]], Features]
"""Numbers of a volume's slices -> their features."""

BATCH = 8
"""Slices that are encoded at a time."""


@dataclass(frozen=True, eq=False)
class Part:
    """A few labelled slices of one volume: their place in it, what SAM 2 sees, their memories."""

    volume: Volume
    slices: tuple[int, ...]
    features: Features
    pool: Pool


@dataclass(frozen=True, eq=False)
class Sam2Slices:
    """A frozen SAM 2 and the canvas that slices come to it on."""

    sam2: SAM2VideoPredictor
    card: CheckpointCard
    canvas: Canvas
    device: torch.device
    precision: Resolved

    def features(self, images: Tensor) -> Features:
        """Slices on the canvas (B, 1, S, S) in [0, 1], without memory."""
        grey = images.to(self.device).expand(-1, 3, -1, -1)
        return encode(self.sam2, normalise(grey, self.card), precision=self.precision)

    def encoder(self, volume: Volume) -> Encode:
        """Features of some of a volume's slices."""
        stack = normalised(volume)
        return lambda chosen: self.features(
            self.canvas.images(torch.from_numpy(stack[list(chosen)]))
        )

    @torch.inference_mode()
    def remembered(self, support: Sequence[Volume], *, classes: int) -> Iterator[Part]:
        """All labelled slices, a few at a time: a budget can end in between."""
        halving = Halving(BATCH, self.device)
        for volume in support:
            part = partial(self._part, volume, self.encoder(volume), classes)
            yield from halving.parts(part, len(volume.labelled_slices))

    def _part(self, volume: Volume, encode_slices: Encode, classes: int, at: slice) -> Part:
        assert volume.label is not None
        chosen = volume.labelled_slices[at]
        features = encode_slices(chosen)
        labels = self.canvas.labels(torch.from_numpy(volume.label[list(chosen)]))
        with autocast(self.precision, self.device):
            pool = remember_labels(
                self.sam2,
                features,
                labels,
                classes=classes,
                patient=volume.patient,
            )
        return Part(volume, chosen, features, pool)

    @torch.inference_mode()
    def segmented(
        self,
        volume: Volume,
        chosen: Chosen,
        pool: Pool,
        *,
        z_memory: int = 0,
        encode: Encode | None = None,
    ) -> np.ndarray:
        """(D, H, W) uint8: the class of the highest logit above 0.

        z_memory  0: every slice by itself. More: from the middle slice both ways, each slice with
                  so many neighbours' answers
        encode    where the features of slices come from, None: they are computed
        """
        result = np.zeros(volume.image.shape, dtype=np.uint8)
        asked = [z for z, row in enumerate(chosen) if any(row)]
        if not asked:
            return result
        with autocast(self.precision, self.device):
            for at, logits in self._recalled(
                encode or self.encoder(volume), asked, chosen, pool, z_memory
            ):
                result[at] = labels_of(logits, self.canvas, volume.image.shape)
        return result

    def _recalled(
        self, encode: Encode, asked: Sequence[int], chosen: Chosen, pool: Pool, z_memory: int
    ) -> Iterator[tuple[Sequence[int], Tensor]]:
        """Slices and their logits (n, K, h, w)."""
        if z_memory:
            for z, logits in recall_volume(self.sam2, encode, chosen, pool, memory=z_memory):
                yield [z], logits[None]
            return

        def some(part: slice) -> tuple[Sequence[int], Tensor]:
            at = asked[part]
            return at, recall(self.sam2, encode(at), [chosen[z] for z in at], pool).logits

        yield from Halving(BATCH, self.device).parts(some, len(asked))


def sam2_slices(
    setting: Setting, *, image_size: str | int = "auto", precision: Precision = "auto"
) -> Sam2Slices:
    """The setting's SAM 2. image_size: side of the square input; "auto": the checkpoint's own."""
    card = card_of("sam2", setting.backbone["sam2"])
    size = given(image_size, card.input_size)
    return Sam2Slices(
        sam2=build_sam2(card, image_size=size, device=setting.device, cache=setting.cache),
        card=card,
        canvas=Canvas(size),
        device=torch.device(setting.device),
        precision=resolve_precision(precision, setting.device),
    )
