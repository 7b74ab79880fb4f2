"""A scene cut at a height z, as a label map."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.models.nano.drawing.fields import grown
from bench.models.nano.drawing.scene import ARC, BLOB, HARMONICS, Scene

CHUNK = 8  # scenes at a time, so that the working arrays stay in the cache


def label_maps(scene: Scene, z: Tensor, size: int) -> Tensor:
    """Slice n of scene n at height z[n]: (N, size, size) uint8, 0 outside, slot + 1 inside.

    Where shapes overlap the later slot is seen.
    """
    chunks = torch.arange(len(scene)).split(CHUNK)
    return torch.cat([_chunk(scene.take(rows), z[rows], size) for rows in chunks])


def _chunk(scene: Scene, z: Tensor, size: int) -> Tensor:
    x, y = _plane(scene, z, size)
    count, slots = scene.alive.shape
    label = torch.zeros(count, size, size, dtype=torch.uint8)
    inside = torch.zeros(count, slots + 1, size, size, dtype=torch.bool)
    inside[:, slots] = True  # what slot -1, "no parent", points to
    cut = scene.alive & ((z[:, None] - scene.middle).abs() < scene.height)
    for slot in range(slots):
        rows = cut[:, slot].nonzero().flatten()
        if not len(rows):
            continue
        within = _covers(scene, slot, rows, z, x, y)
        within &= inside[rows, scene.parent[rows, slot]]
        inside[rows, slot] = within
        label[rows] = label[rows].masked_fill_(within, slot + 1)
    return label


def _plane(scene: Scene, z: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Scene coordinates of every pixel, after camera and warp: two (N, size, size)."""
    line = (torch.arange(size) + 0.5) * (2 / size) - 1
    v, u = torch.meshgrid(line, line, indexing="ij")
    zoom, turn, dx, dy = scene.view.T[..., None, None]
    x = (u * turn.cos() - v * turn.sin()) * zoom.clamp(min=0.4) + dx
    y = (u * turn.sin() + v * turn.cos()) * zoom.clamp(min=0.4) + dy
    shift = grown(scene.warp + z[:, None, None, None] * scene.warp_drift, size)
    return x + shift[:, 0], y + shift[:, 1]


def _covers(scene: Scene, slot: int, rows: Tensor, z: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(R, size, size) bool: the pixels that one slot covers in R scenes, its parent left aside."""
    z = z[rows]
    rise = (z - scene.middle[rows, slot]) / scene.height[rows, slot]
    kind = scene.kind[rows, slot]
    # Sections of an ellipsoid; an arc keeps its radius and thins out instead.
    section = (1 - rise**2).clamp(min=0).sqrt()
    grow = torch.where(kind == ARC, torch.ones_like(section), section).clamp(min=1e-3)
    centre = scene.centre[rows, slot] + z[:, None] * scene.drift[rows, slot]
    across = 1 / (scene.radius[rows, slot] * grow[:, None])
    angle = scene.angle[rows, slot]
    px, py = x[rows] - _wide(centre[:, 0]), y[rows] - _wide(centre[:, 1])
    a = px * _wide(angle.cos() * across[:, 0])
    a.addcmul_(py, _wide(angle.sin() * across[:, 0]))
    b = py.mul_(_wide(angle.cos() * across[:, 1]))
    b.addcmul_(px, _wide(angle.sin() * across[:, 1]), value=-1)
    rho = (a * a).addcmul_(b, b).sqrt_().clamp_(min=1e-6)
    c, s = a / rho, b / rho
    # cos(k t + phase) for k = 2..: by the angle-sum rule from cos t and sin t, so no arctangent.
    outline = torch.ones_like(rho)
    ck, sk = c, s
    for k in range(HARMONICS):
        ck, sk = (ck * c).addcmul_(sk, s, value=-1), (sk * c).addcmul_(ck, s)
        high, turn = scene.bump[rows, slot, k], scene.phase[rows, slot, k]
        outline.addcmul_(ck, _wide(high * turn.cos()))
        outline.addcmul_(sk, _wide(high * turn.sin()), value=-1)
    blob = rho < outline
    special = (kind != BLOB).nonzero().flatten()
    if len(special):
        n = special
        width = _wide(scene.width[rows, slot][n])
        band = ((rho[n] - outline[n]).abs() < width * _wide(section[n])) & (c[n] > -0.3)
        cut = a[n] + 0.3 * (2 * b[n]).sin() > width
        blob[n] = torch.where(_wide(kind[n] == ARC), band, cut)
    return blob


def _wide(values: Tensor) -> Tensor:
    return values[:, None, None]
