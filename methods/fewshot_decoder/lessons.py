"""What is trained on: a slice asked for a class that it shows, or now and then for one it does not,
prompted by the other slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from bench.protocol import UNLABELLED
from methods.fewshot_decoder.collection import Slice, View, stacked
from methods.fewshot_decoder.prompts import PromptRule, Shot, padded, some
from methods.fewshot_decoder.targets import Target


def shots_of(slices: Sequence[Slice], classes: int) -> dict[int, list[Shot]]:
    """Class -> the slices that show it, as they are. Classes that none shows are not in it."""
    shots = {
        value: [
            Shot(i, one.patient, one.descriptor, one.views[0].targets[value])
            for i, one in enumerate(slices)
            if value in one.classes
        ]
        for value in range(1, classes + 1)
    }
    return {value: found for value, found in shots.items() if found}


@dataclass(frozen=True, eq=False)
class Lesson:
    """A view that is asked for a class, from 1, by the tokens of a prompt."""

    view: View
    value: int
    prompt: Target


@dataclass
class Lessons:
    """shown   (slice, class) for every class of every slice
    absent  (slice, class) where another slice shows the class
    count   of an epoch: all of `shown`, and `absent_share` times as many of `absent`
    dropout  whether a random part of the other slices prompts, or all of them
    """

    slices: Sequence[Slice]
    shots: dict[int, list[Shot]]
    rule: PromptRule
    absent_share: float
    dropout: bool
    shown: list[tuple[int, int]] = field(init=False)
    absent: list[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        every = [(i, value) for i in range(len(self.slices)) for value in self.shots]
        self.shown = [(i, v) for i, v in every if self._shows(i, v) and self._views(i, v)]
        self.absent = [(i, v) for i, v in every if not self._shows(i, v)]

    def __len__(self) -> int:
        return len(self.shown) + min(len(self.absent), round(self.absent_share * len(self.shown)))

    def _shows(self, place: int, value: int) -> bool:
        return value in self.slices[place].classes

    def _views(self, place: int, value: int) -> list[View]:
        """Those that can be asked for: a prompt is left without this slice, or without this view
        of it where no other slice shows the class."""
        views = self.slices[place].views
        if not self._shows(place, value) or self._others(place, value):
            return views
        return [
            view
            for view in views
            if any(value in other.targets for other in views if other is not view)
        ]

    def _others(self, place: int, value: int) -> list[Shot]:
        patient = self.slices[place].patient
        return self.rule.others(self.shots[value], place=place, patient=patient)

    def prompt(self, place: int, value: int, view: View) -> Target:
        """The tokens for one query. Its own slice is never among them, nor its own view."""
        one = self.slices[place]
        others = self._others(place, value) or [
            Shot(place, one.patient, one.descriptor, copy.targets[value])
            for copy in one.views
            if copy is not view and value in copy.targets
        ]
        near = self.rule.nearest(others, one.descriptor)
        return self.rule.tokens(some(near) if self.dropout else near, random=True)

    def choose(self, chosen: Tensor) -> list[Lesson]:
        """Indices (B,) -> which view is asked for which class, and by which tokens: at random."""
        drawn = []
        for index in chosen.tolist():
            if index < len(self.shown):
                place, value = self.shown[index]
            else:
                place, value = self.absent[int(torch.randint(len(self.absent), ()))]
            able = self._views(place, value)
            view = able[int(torch.randint(len(able), ()))]
            drawn.append(Lesson(view, value, self.prompt(place, value, view)))
        return drawn


def gathered(lessons: Sequence[Lesson]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Embeddings (B, C, h, w) as they are kept, labels (B, S, S) with 1 where the class is, classes
    (B,) from 0, tokens (B, T, C), kinds (B, T)."""
    labels = []
    for one in lessons:
        mask = (one.view.labels == one.value).to(torch.uint8)
        labels.append(torch.where(one.view.labels == UNLABELLED, UNLABELLED, mask))
    classes = torch.tensor([one.value - 1 for one in lessons])
    tokens, kinds = padded([one.prompt for one in lessons])
    return stacked([one.view for one in lessons]), torch.stack(labels), classes, tokens, kinds
