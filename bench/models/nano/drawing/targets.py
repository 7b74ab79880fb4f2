"""Which objects of a drawn slice a network is asked for."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.models.nano.drawing.fields import chance
from bench.models.nano.drawing.scene import Scene


def label_sets(scene: Scene, slot: Tensor, whole: Tensor) -> Tensor:
    """(N, S + 1) bool: the labels that make up one object a scene.

    slot (N,): the object; whole (N,) bool: with everything inside it, or its own visible part.
    """
    count = len(scene)
    rows = torch.arange(count)
    family = scene.parts()[rows, slot]
    single = torch.zeros_like(family)
    single[rows, slot] = True
    chosen = torch.where(whole[:, None], family, single)
    return torch.cat([torch.zeros(count, 1, dtype=torch.bool), chosen], dim=1)


def masks_of(label: Tensor, sets: Tensor) -> Tensor:
    """(N, H, W) bool: the pixels of label maps (N, H, W) that belong to each label set."""
    return sets.gather(1, label.flatten(1).long()).view(label.shape)


def visible_slots(label: Tensor, slots: int, least: int) -> Tensor:
    """(N, slots) bool: the slots that cover at least that many pixels."""
    flat = label.flatten(1).long()
    area = torch.zeros(len(label), slots + 1, dtype=torch.long)
    area.scatter_add_(1, flat, torch.ones_like(flat))
    return area[:, 1:] >= least


def random_objects(
    scene: Scene, label: Tensor, each: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Some visible objects of every slice: image numbers (N * each,) and masks (N * each, H, W).

    Objects are drawn with replacement; a slice without any gives its background.
    """
    count, slots = scene.alive.shape
    least = max(8, label.shape[-1] ** 2 // 700)
    weight = visible_slots(label, slots, least).float()
    bare = weight.sum(dim=1) == 0
    weight[bare] = 1.0
    slot = torch.multinomial(weight, each, replacement=True, generator=generator).flatten()
    image = torch.arange(count).repeat_interleave(each)
    whole = chance(0.5, count * each, generator=generator)
    sets = label_sets(scene.take(image), slot, whole)
    sets[bare[image]] = torch.tensor([True] + [False] * slots)
    return image, masks_of(label[image], sets)
