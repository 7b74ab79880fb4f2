"""Support slices with masks, and a query slice: what a memory-conditioned network learns from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bench.models.nano.drawing.fields import chance, normal, uniform
from bench.models.nano.drawing.look import another_scan, random_looks, shown
from bench.models.nano.drawing.raster import label_maps
from bench.models.nano.drawing.scene import Scene, another_patient, random_scenes
from bench.models.nano.drawing.targets import label_sets, masks_of, visible_slots

SAME_PATIENT = (
    0.4  # share of episodes whose supports are neighbouring slices of the query's patient
)


@dataclass(frozen=True)
class Episodes:
    """N episodes of K supports and one query, M objects each. The query is the last slice."""

    images: Tensor  # (N, K + 1, 1, H, H) in [0, 1]
    masks: Tensor  # (N, M, K + 1, H, H) bool; empty where the object is absent
    label: Tensor  # (N, K + 1, H, H) uint8, the same number for the same structure


def draw_episodes(
    count: int, supports: int, objects: int, size: int, generator: torch.Generator
) -> Episodes:
    """Episodes in which every object is seen in at least one support, but perhaps not in the query.

    Supports lie within +-0.25 of the query's height: slices of the same patient, or of others.
    """
    g, frames = generator, supports + 1
    scene = random_scenes(count, g)
    look = random_looks(scene, g)
    z = uniform(-0.6, 0.6, count, 1, generator=g) + normal(0.12, count, frames, generator=g)
    row = torch.arange(count).repeat_interleave(frames)
    every, scans = scene.take(row), look.take(row)

    others = another_patient(every, 1.0, g)
    same = chance(SAME_PATIENT, count, generator=g)[row]
    moved = Scene(**{
        name: torch.where(same.view(-1, *[1] * (value.ndim - 1)), value, getattr(others, name))
        for name, value in vars(every).items()
    })  # fmt: skip
    scans = another_scan(scans, 1.0, g)
    # An object can be missing in one slice for no visible reason, as a removed organ is.
    gone = chance(0.08, len(row), scene.alive.shape[1], generator=g)
    gone[:, :2] = False
    moved = replace(moved, alive=moved.alive & ~gone)

    label = label_maps(moved, z.flatten(), size)
    images = shown(label, scans, g).view(count, frames, 1, size, size)

    least = max(8, size * size // 700)
    seen = visible_slots(label, scene.alive.shape[1], least).view(count, frames, -1)
    weight = seen[:, :-1].any(dim=1).float() + 1e-9
    slot = torch.multinomial(weight, objects, replacement=True, generator=g)
    whole = chance(0.5, count * objects, generator=g)
    owner = torch.arange(count).repeat_interleave(objects)
    sets = label_sets(scene.take(owner), slot.flatten(), whole)
    # A class may be both of a pair, as "lungs" and "kidneys" are.
    both = chance(0.5, count * objects, generator=g) & scene.paired[owner]
    pair = sets[:, 3] | sets[:, 4]
    sets[:, 3] = torch.where(both, pair, sets[:, 3])
    sets[:, 4] = torch.where(both, pair, sets[:, 4])
    each = sets.repeat_interleave(frames, dim=0)
    maps = label.view(count, 1, frames, size, size).expand(-1, objects, -1, -1, -1)
    masks = masks_of(maps.reshape(-1, size, size), each)
    return Episodes(
        images=images,
        masks=masks.view(count, objects, frames, size, size),
        label=label.view(count, frames, size, size),
    )
