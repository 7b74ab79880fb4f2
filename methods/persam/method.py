"""PerSAM and PerSAM-F: SAM looks for what resembles the labelled structures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.contract import Clock, Progress, Setting, Task, Volume
from bench.data.transfer import to_device
from bench.models.checkpoints import card_of
from bench.models.embeddings.labelled import Chunk, labelled_chunks
from bench.models.logits import ABSENT, labels_of
from bench.models.sam import build_sam
from bench.models.sam.frozen import frozen_sam
from bench.options import given
from bench.train.mask_losses import mask_targets
from bench.train.precision import autocast, resolve_precision
from methods.persam.asking import Rows, personal, personal_f, three_scales
from methods.persam.references import references
from methods.persam.target import cells_of, mean, mean_and_max
from methods.persam.weights import START, fit_weights

SLICES = 4
"""At a time."""


class PerSam:
    """targets (K, C): the mean of what the labelled slices show; learned (K, 2), PerSAM-F's."""

    def __init__(self, options: SimpleNamespace, setting: Setting) -> None:
        self.options, self.classes = options, len(setting.classes)
        self.device = torch.device(setting.device)
        self.precision = resolve_precision(options.precision, self.device)
        card = card_of("sam", setting.backbone["sam"])
        size = given(options.image_size, card.input_size)
        self.sam = build_sam(card, image_size=size, device=self.device, cache=setting.cache)
        self.encoder = frozen_sam(
            self.sam,
            card,
            device=setting.device,
            cache=setting.cache,
            precision=options.precision,
        )
        self.summary = mean if options.variant == "persam" else mean_and_max
        self.targets = torch.zeros(self.classes, card.architecture.embedding, device=self.device)
        self.seen = torch.zeros(self.classes, dtype=torch.int64, device=self.device)
        self.learned = torch.full((self.classes, 2), START, device=self.device)

    def adapt(self, task: Task, clock: Clock) -> Iterator[Progress]:
        """Targets are made without a step. PerSAM-F then learns two numbers a class."""
        kept: list[Chunk] = []
        for chunk in labelled_chunks(self.encoder, task.support):
            self._look_at(chunk)
            kept.append(chunk)
            yield Progress(steps=0, samples=len(chunk.labels))
        if self.options.variant == "persam" or not self.seen.any():
            return
        masks, truth, kinds = [], [], []
        for part in references(kept, classes=self.classes, most=self.options.references):
            rows = Rows(
                part.embedding.to(self.device),
                self.targets[part.kinds.to(self.device)],
                part.shape,
            )
            with torch.inference_mode(), self._precise():
                found, _ = three_scales(self.sam, self.encoder.canvas, rows)
            size = (found.shape[-2], found.shape[-1])
            targets = mask_targets(part.labels, range(1, self.classes + 1), size)
            masks.append(found.clone())
            truth.append(targets[torch.arange(len(targets)), part.kinds].to(self.device))
            kinds.append(part.kinds.to(self.device))
            yield Progress(steps=0)
        yield from fit_weights(
            torch.cat(masks),
            torch.cat(truth),
            torch.cat(kinds),
            self.learned,
            clock=clock,
            steps=self.options.steps,
            lr=self.options.lr,
        )

    def _look_at(self, chunk: Chunk) -> None:
        """Slices with a class count alike in its target, one or many."""
        embedding = to_device(chunk.embedded.take(), self.device).float()
        labels = to_device(chunk.labels, self.device)
        for each, label, here in zip(embedding, labels, chunk.labels, strict=True):
            for kind in range(self.classes):
                if (here == kind + 1).any():  # on the host, where nobody waits for it
                    mask = label == kind + 1
                    new = self.summary(cells_of(each, mask)) - self.targets[kind]
                    self.seen[kind] += 1
                    self.targets[kind] += new / self.seen[kind]

    @torch.inference_mode()
    def predict(self, volume: Volume) -> np.ndarray:
        """Every class that the support shows is looked for, and found, in every slice."""
        result = np.zeros(volume.image.shape, dtype=np.uint8)
        known = self.seen.nonzero()[:, 0]  # waits once a volume
        if not len(known):
            return result
        kept = self.encoder.volume(volume)
        for part in torch.arange(len(volume.image)).split(SLICES):
            embedding = to_device(kept.take(part), self.device).float()
            rows = Rows(
                embedding.repeat_interleave(len(known), dim=0),
                self.targets[known].repeat(len(part), 1),
                (volume.image.shape[1], volume.image.shape[2]),
            )
            with self._precise():
                found = self._masks(rows, known.repeat(len(part)))
            side = found.shape[-1]
            logits = torch.full((len(part), self.classes, side, side), ABSENT, device=self.device)
            logits[:, known] = found.float().unflatten(0, (len(part), len(known)))
            result[part] = labels_of(logits, self.encoder.canvas, volume.image.shape)
        return result

    def _masks(self, rows: Rows, kinds: Tensor) -> Tensor:
        if self.options.variant == "persam":
            return personal(self.sam, self.encoder.canvas, rows)
        return personal_f(self.sam, self.encoder.canvas, rows, self.learned[kinds])

    def _precise(self) -> AbstractContextManager[object]:
        return autocast(self.precision, self.device)

    def parameters(self) -> Iterable[Tensor]:
        """SAM's, all frozen; what PerSAM-F learns is in the state."""
        return self.sam.parameters()

    def state_dict(self) -> Mapping[str, Any]:
        return {"targets": self.targets, "seen": self.seen, "learned": self.learned}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.targets, self.seen, self.learned = (
            state[name].to(self.device) for name in ("targets", "seen", "learned")
        )
