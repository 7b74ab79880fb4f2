"""Which labelled slices prompt for a class, and the tokens that they give together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.fewshot_decoder.decoder import PADDING
from methods.fewshot_decoder.targets import Target


@dataclass(frozen=True, eq=False)
class Shot:
    """What one labelled slice says of a class.

    slice       its place in the collection
    descriptor  (C,) of unit length
    """

    slice: int
    patient: str
    descriptor: Tensor
    target: Target


@dataclass(frozen=True)
class PromptRule:
    """mode, cells  how a shot's target becomes tokens
    retrieve_k   only the shots most similar to the query; 0: all
    leave_out    "slice": a query's own tokens are left out while training. "patient": all of its
                 patient's, where another patient shows the class
    """

    mode: str
    cells: int
    retrieve_k: int
    leave_out: str

    def others(self, shots: Sequence[Shot], *, place: int, patient: str) -> list[Shot]:
        """Those that a query of the collection may see: never its own."""
        rest = [shot for shot in shots if shot.slice != place]
        if self.leave_out == "patient":
            return [shot for shot in rest if shot.patient != patient] or rest
        return rest

    def nearest(self, shots: Sequence[Shot], descriptor: Tensor) -> list[Shot]:
        """The `retrieve_k` most similar ones by the cosine; all, where they are fewer."""
        if not self.retrieve_k or len(shots) <= self.retrieve_k:
            return list(shots)
        similar = torch.stack([shot.descriptor for shot in shots]) @ descriptor
        return [shots[i] for i in similar.topk(self.retrieve_k).indices.tolist()]

    def tokens(self, shots: Sequence[Shot], *, random: bool = False) -> Target:
        """All tokens of these shots. random: of the cells, others at each call."""
        targets = [self._thinned(shot.target, random=random) for shot in shots]
        tokens = torch.cat([target.tokens for target in targets])
        kinds = torch.cat([target.kinds for target in targets])
        if self.mode == "proto":
            return Target(tokens.mean(dim=0, keepdim=True), kinds[:1])
        return Target(tokens, kinds)

    def _thinned(self, target: Target, *, random: bool) -> Target:
        count = len(target.tokens)
        if self.mode != "cells" or count <= self.cells:
            return target
        chosen = (
            torch.randperm(count)[: self.cells]
            if random
            else torch.linspace(0, count - 1, self.cells).round().long()
        )
        return Target(target.tokens[chosen], target.kinds[chosen])


def some(shots: Sequence[Shot]) -> list[Shot]:
    """A random part of them, never none: any number of shots must do."""
    count = int(torch.randint(1, len(shots) + 1, ()))
    return [shots[i] for i in torch.randperm(len(shots))[:count].tolist()]


def padded(targets: Sequence[Target]) -> tuple[Tensor, Tensor]:
    """Rows of different lengths -> tokens (R, T, C) and kinds (R, T), PADDING behind each."""
    longest = max(len(target.kinds) for target in targets)
    width = targets[0].tokens.shape[1]
    tokens = torch.zeros(len(targets), longest, width)
    kinds = torch.full((len(targets), longest), PADDING)
    for row, target in enumerate(targets):
        tokens[row, : len(target.kinds)] = target.tokens
        kinds[row, : len(target.kinds)] = target.kinds
    return tokens, kinds


def shots_state(shots: dict[int, list[Shot]], rule: PromptRule) -> dict[str, Tensor]:
    """What predicting needs of the shots, as tensors by name."""
    state = {}
    for value, some_shots in shots.items():
        targets = [rule._thinned(shot.target, random=False) for shot in some_shots]
        state[f"targets.{value}.tokens"] = torch.cat([target.tokens for target in targets])
        state[f"targets.{value}.kinds"] = torch.cat([target.kinds for target in targets])
        state[f"targets.{value}.lengths"] = torch.tensor([len(t.kinds) for t in targets])
        state[f"targets.{value}.descriptors"] = torch.stack([s.descriptor for s in some_shots])
    return state


def shots_from(state: dict[str, Tensor]) -> dict[int, list[Shot]]:
    """The shots back from `shots_state`."""
    shots = {}
    for value in sorted({int(name.split(".")[1]) for name in state}):
        part = {k: state[f"targets.{value}.{k}"].cpu() for k in ("tokens", "kinds", "descriptors")}
        lengths = state[f"targets.{value}.lengths"].tolist()
        pieces = zip(part["tokens"].split(lengths), part["kinds"].split(lengths), strict=True)
        shots[value] = [
            Shot(slice=i, patient="", descriptor=part["descriptors"][i], target=Target(*piece))
            for i, piece in enumerate(pieces)
        ]
    return shots
