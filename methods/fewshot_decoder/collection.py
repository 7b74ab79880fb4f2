"""The few-shot collection: labelled slices and their augmented copies, as the frozen encoder sees
them. Once it is filled, nobody needs the encoder any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.contract import Volume
from bench.models.embeddings.embedded import Embedded
from bench.models.embeddings.entry import Entry
from bench.models.embeddings.frozen import FrozenEncoder
from bench.models.embeddings.labelled import Chunk, labelled_chunks
from bench.models.embeddings.ledger import Account
from bench.protocol import UNLABELLED
from methods.fewshot_decoder.crop import crops
from methods.fewshot_decoder.targets import Operator, Target, class_share, ring_share
from methods.fewshot_decoder.views import KIND, fixed_views


@dataclass(frozen=True, eq=False)
class View:
    """A slice, or an augmented copy of it.

    embedding  of the frozen encoder, mapped from the disk
    labels     (S, S) uint8 on the canvas
    targets    class (from 1) -> what this view says of it; empty where nobody may need it
    """

    embedding: Entry
    labels: Tensor
    targets: dict[int, Target]


@dataclass(eq=False)
class Slice:
    """classes: those that it shows, from 1. views: the slice as it is, then its copies.

    descriptor  (C,), unit length: the mean of its cells, to find similar slices by
    """

    patient: str
    classes: tuple[int, ...]
    descriptor: Tensor
    views: list[View] = field(default_factory=list)


@dataclass(eq=False)
class Collection:
    """operator: makes targets. cropped: out of an embedding of the structure's own crop. copies:
    (copy, chunk) as they were made; how many is decided by the clock, so a stop keeps them."""

    encoder: FrozenEncoder
    operator: Operator
    classes: int
    ring: int
    cropped: bool = False
    margin: float = 0.0
    slices: list[Slice] = field(default_factory=list)
    chunks: list[tuple[Chunk, range]] = field(default_factory=list, repr=False)
    copies: list[tuple[int, int]] = field(default_factory=list)

    def read(self, support: Sequence[Volume], *, empty_share: float) -> Iterator[None]:
        """All slices that show a class, and `empty_share` times as many that show none."""
        chosen = chosen_slices(support, empty_share=empty_share)
        for chunk in labelled_chunks(
            self.encoder, support, choose=lambda volume: chosen[volume.case]
        ):
            first = len(self.slices)
            embeddings = chunk.embedded.take().float()
            targets = self._targets(chunk.images.load, embeddings, chunk.labels)
            for i, found in enumerate(targets):
                descriptor = inside_mean(embeddings[i : i + 1], chunk.inner, self.encoder)[0]
                view = View(chunk.embedded.entries[i], chunk.labels[i], found)
                self.slices.append(Slice(chunk.patient, tuple(found), descriptor, [view]))
            self.chunks.append((chunk, range(first, len(self.slices))))
            yield

    def lonely(self, chunk: range) -> bool:
        """Whether a class is shown by a single slice, and that is one of these: its targets can
        only be those of its own copies."""
        return any(self.shown_by(value) == 1 for i in chunk for value in self.slices[i].classes)

    def shown_by(self, value: int) -> int:
        return sum(value in one.classes for one in self.slices)

    def augment(self, number: int, *, copy: int) -> None:
        """One more view of each slice of a chunk."""
        chunk, places = self.chunks[number]
        self.copies.append((copy, number))
        images = chunk.images.load(range(len(chunk.images))).to(self.encoder.device)
        labels = chunk.labels.to(self.encoder.device)
        images, labels = fixed_views(images, labels, chunk.images.hashes, copy=copy)
        kept = self.encoder.views(images, inner=chunk.inner, augmentation=KIND)
        labels = labels.cpu()
        targets: list[dict[int, Target]] = [{} for _ in places]
        if self.lonely(places):
            embeddings = kept.take().float()
            targets = self._targets(images.__getitem__, embeddings, labels)
        for i, place in enumerate(places):
            self.slices[place].views.append(View(kept.entries[i], labels[i], targets[i]))

    def state_dict(self) -> dict[str, Any]:
        return {"copies": [list(made) for made in self.copies]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The same copies, out of the cache where it is as it was."""
        self.copies.clear()
        for one in self.slices:
            del one.views[1:]
        for copy, number in state["copies"]:
            self.augment(number, copy=copy)

    def _targets(
        self, load: Callable[[list[int]], Tensor], embeddings: Tensor, labels: Tensor
    ) -> list[dict[int, Target]]:
        """For each image, class -> target. load: the images of these places, for their crops."""
        found: list[dict[int, Target]] = [{} for _ in labels]
        for value in range(1, self.classes + 1):
            places = (labels == value).any(dim=(1, 2)).nonzero()[:, 0].tolist()
            if not places:
                continue
            seen, truth = embeddings[places], labels[places]
            if self.cropped:
                images, truth = crops(load(places), truth, value, margin=self.margin)
                side = self.encoder.canvas.size
                kept = self.encoder.views(images, inner=(side, side), augmentation="crops")
                seen = kept.take().float()
            share = class_share(truth, value, seen.shape[-2:])
            ring = ring_share(share, truth, reach=self.ring)
            for i, place in enumerate(places):
                found[place][value] = self.operator(seen[i], share[i], ring[i])
        return found


def chosen_slices(support: Sequence[Volume], *, empty_share: float) -> dict[str, list[int]]:
    """Case -> its labelled slices that show a class, with evenly spread ones that show none."""
    shown, empty = [], []
    for volume in support:
        assert volume.label is not None
        for z in volume.labelled_slices:
            plane = volume.label[z]
            has_class = bool(((plane > 0) & (plane != UNLABELLED)).any())
            (shown if has_class else empty).append((volume.case, z))
    count = min(len(empty), round(empty_share * len(shown))) if shown else 0
    spread = ((np.arange(count) + 0.5) * len(empty) / max(1, count)).astype(int)
    chosen: dict[str, list[int]] = {volume.case: [] for volume in support}
    for case, z in sorted([*shown, *(empty[i] for i in spread)]):
        chosen[case].append(z)
    return chosen


def inside_mean(embeddings: Tensor, inner: tuple[int, int], encoder: FrozenEncoder) -> Tensor:
    """(N, C, h, w) -> (N, C): the mean of the cells that are no padding, of unit length."""
    side = embeddings.shape[-1] / encoder.canvas.size
    rows, columns = (max(1, round(length * side)) for length in inner)
    mean = embeddings[..., :rows, :columns].mean(dim=(2, 3))
    return torch.nn.functional.normalize(mean, dim=1)


def stacked(views: Sequence[View]) -> Tensor:
    """The views' embeddings, (N, C, h, w), as they are kept."""
    return Embedded(tuple(view.embedding for view in views), Account()).take()
