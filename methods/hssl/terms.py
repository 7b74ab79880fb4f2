"""L_img + w_t L_task + w_g L_grp on pooled features: the hierarchy, with heads of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.errors import RequestError
from methods.hssl.losses import alike, contrastive, other_view

NAMES = ("image", "position", "task", "group")
FEATURES = 128
"""Channels in which views are compared."""


@dataclass(frozen=True)
class Terms:
    """names         those that are summed
    grp_as        "supcon": those of a group are pulled together. "ce": the group is classified
    task, group   weights of these terms; the others have 1
    """

    names: frozenset[str]
    grp_as: str = "supcon"
    task: float = 0.5
    group: float = 0.5
    temperature: float = 0.1

    def without(self, *names: str) -> Terms:
        return replace(self, names=self.names - set(names))

    def on(self, *, tasks: int, groups: int) -> Terms:
        """Without those that can tell nothing: of a single dataset, of a single group."""
        kept = self.without(*(["task"] if tasks < 2 else []), *(["group"] if groups < 2 else []))
        if not kept.names:
            raise RequestError(
                f"method.terms={'+'.join(sorted(self.names))}: a pool of {tasks} dataset(s) in "
                f"{groups} group(s) leaves nothing to learn; add image, or more datasets to pool="
            )
        return kept


def names_of(terms: str) -> frozenset[str]:
    """`image+task+group`, any of them; `none` is nothing at all."""
    asked = [] if terms == "none" else terms.split("+")
    if not set(asked) <= set(NAMES) or len(set(asked)) < len(asked):
        raise RequestError(
            f"method.terms={terms}: join some of {', '.join(NAMES)} with +, as in "
            "image+task+group, or give none"
        )
    return frozenset(asked)


class Hierarchy(nn.Module):
    """The heads of one level of features, thrown away with it.

    Views of two images of one group are pushed apart by the image term and pulled together by the
    group's: each has a head of its own.
    """

    groups: Tensor

    def __init__(self, width: int, terms: Terms, groups: Tensor) -> None:
        """groups: (M,) the group of each dataset."""
        super().__init__()
        self.terms = terms.on(tasks=len(groups), groups=len(groups.unique()))
        self.register_buffer("groups", groups)
        heads: dict[str, nn.Module] = {}
        for name in sorted(self.terms.names):
            heads[name] = mlp(width)
        if "task" in heads:
            heads["task"] = nn.Linear(width, len(groups))
        if "group" in heads and terms.grp_as == "ce":
            heads["group"] = nn.Linear(width, int(groups.max()) + 1)
        self.heads = nn.ModuleDict(heads)

    def forward(self, features: Tensor, tasks: Tensor, parts: Tensor) -> Tensor:
        """features (2N, width): all first views, then all second ones; tasks (N,) the dataset of
        each image; parts (N,) where in its volume it lies -> the weighted sum."""
        tasks, parts = tasks.repeat(2), parts.repeat(2)
        terms, found = self.terms, []
        features = features.float()
        for name, head in self.heads.items():
            x = head(features).float()
            if name == "image":
                pairs = other_view(len(features) // 2, features.device)
                found.append(contrastive(x, pairs, temperature=terms.temperature))
            elif name == "position":
                same = alike(tasks) & alike(parts)
                found.append(contrastive(x, same, temperature=terms.temperature))
            elif name == "task":
                found.append(terms.task * F.cross_entropy(x, tasks))
            elif terms.grp_as == "ce":
                found.append(terms.group * F.cross_entropy(x, self.groups[tasks]))
            else:
                same = alike(self.groups[tasks])
                found.append(terms.group * contrastive(x, same, temperature=terms.temperature))
        return torch.stack(found).sum()


def mlp(width: int) -> nn.Module:
    """(..., width) -> (..., FEATURES); 512-512-128 on the full network's bottleneck."""
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(inplace=True), nn.Linear(width, FEATURES))
