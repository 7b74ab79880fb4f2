"""A scene: the shapes of one imaginary patient, in three dimensions, without intensities.

Coordinates run from -1 to 1 over the image. Every tensor is batched over N scenes and S slots.
Slots are painted in order, so a later slot lies over an earlier one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from bench.models.nano.drawing.fields import chance, normal, uniform

BODY, LAYER = 0, 1
ORGANS = range(2, 9)
CHILDREN = range(9, 12)
LESIONS = range(12, 14)
SLOTS = 14
HARMONICS = 4  # 2 to 5 bumps around the outline
BLOB, ARC, HALF = 0, 1, 2
NODES = 5  # control points of the warp along each axis


@dataclass(frozen=True)
class Scene:
    """N scenes of S shapes."""

    alive: Tensor  # (N, S) bool
    kind: Tensor  # (N, S) BLOB, ARC (a curved band) or HALF (a part of the parent)
    parent: Tensor  # (N, S) slot that contains this one, -1 for none; always an earlier slot
    centre: Tensor  # (N, S, 2)
    radius: Tensor  # (N, S, 2) half axes
    angle: Tensor  # (N, S)
    bump: Tensor  # (N, S, HARMONICS) height of the outline's bumps
    phase: Tensor  # (N, S, HARMONICS)
    width: Tensor  # (N, S) half thickness of an ARC; position of the cut of a HALF
    middle: Tensor  # (N, S) z of the largest section
    height: Tensor  # (N, S) half extent along z
    drift: Tensor  # (N, S, 2) movement of the centre for one unit of z
    warp: Tensor  # (N, 2, NODES, NODES) displacement of the plane
    warp_drift: Tensor  # (N, 2, NODES, NODES) its change for one unit of z
    view: Tensor  # (N, 4) zoom, turn, shift x, shift y of the camera
    paired: Tensor  # (N,) bool: slots 2 and 3 are the left and the right one of a pair

    def __len__(self) -> int:
        return int(self.alive.shape[0])

    def take(self, index: Tensor) -> Scene:
        """Scenes by number, repeats allowed."""
        return Scene(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def parts(self) -> Tensor:
        """(N, S, S) bool: entry [n, s, t] says that slot t is s or lies inside s."""
        count, slots = self.parent.shape
        rows = torch.arange(count)
        inside = torch.eye(slots, dtype=torch.bool).repeat(count, 1, 1)
        for slot in range(slots):
            above = self.parent[:, slot]
            inherited = inside[rows, :, above] & (above >= 0)[:, None]
            inside[:, :, slot] |= inherited
        return inside


def random_scenes(count: int, generator: torch.Generator) -> Scene:
    """New scenes: a body with organs, or a close-up without one."""
    g, n, s = generator, count, SLOTS
    organs, children = slice(2, 9), slice(9, 12)
    has_body = chance(0.65, n, generator=g)

    alive = chance(0.75, n, s, generator=g)
    alive[:, BODY] = has_body
    alive[:, LAYER] = has_body & chance(0.5, n, generator=g)
    alive[:, 2] = True
    alive[:, 12:] = chance(0.4, n, 2, generator=g)

    kind = torch.zeros(n, s, dtype=torch.long)
    kind[:, organs][chance(0.15, n, 7, generator=g)] = ARC
    kind[:, children][chance(0.4, n, 3, generator=g)] = HALF

    centre = uniform(-0.7, 0.7, n, s, 2, generator=g)
    scale = torch.exp(uniform(-2.5, -0.75, n, s, 1, generator=g))
    radius = scale * torch.exp(normal(0.25, n, s, 2, generator=g))
    # A few organs are long and thin, as vessels, muscles and intestine are.
    long = chance(0.15, n, s, generator=g)
    radius[..., 0] = torch.where(long, radius[..., 0] * 2.5, radius[..., 0])
    radius[:, BODY] = uniform(0.75, 1.05, n, 1, generator=g) * torch.exp(
        normal(0.12, n, 2, generator=g)
    )
    radius[:, 12:] = uniform(0.03, 0.1, n, 2, 1, generator=g)
    centre[:, BODY] = normal(0.05, n, 2, generator=g)
    angle = uniform(-torch.pi, torch.pi, n, s, generator=g)
    angle[:, BODY] = normal(0.1, n, generator=g)
    bump = normal(0.1, n, s, HARMONICS, generator=g) / torch.arange(1, HARMONICS + 1) ** 0.5
    bump[:, BODY] *= 0.3
    phase = uniform(-torch.pi, torch.pi, n, s, HARMONICS, generator=g)
    width = uniform(0.12, 0.35, n, s, generator=g)

    # The layer under the skin repeats the body's outline a little smaller.
    for values in (centre, angle, bump, phase):
        values[:, LAYER] = values[:, BODY]
    radius[:, LAYER] = radius[:, BODY] * uniform(0.8, 0.95, n, 1, generator=g)

    # Paired organs: a mirror image on the other side.
    paired = chance(0.4, n, generator=g)
    centre[paired, 2, 0] = -centre[paired, 2, 0].abs().clamp(min=0.25)
    radius[:, 2] = radius[:, 2].clamp(min=0.12)
    for values in (centre, radius, angle, bump, phase, kind, width, alive):
        values[paired, 3] = values[paired, 2]
    centre[paired, 3, 0] *= -1
    angle[paired, 3] = torch.pi - angle[paired, 2]
    phase[paired, 3] = -phase[paired, 2]

    # Adjacent organs: slot 5 touches slot 4.
    touching = chance(0.5, n, generator=g)
    way = uniform(-torch.pi, torch.pi, n, generator=g)
    reach = radius[:, 4].mean(dim=1) + radius[:, 5].mean(dim=1)
    beside = centre[:, 4] + 0.9 * reach[:, None] * torch.stack([way.cos(), way.sin()], dim=1)
    centre[touching, 5] = beside[touching]

    parent = torch.full((n, s), -1, dtype=torch.long)
    parent[:, LAYER] = torch.where(alive[:, LAYER], BODY, -1)
    root = torch.where(alive[:, LAYER], LAYER, torch.where(has_body, BODY, -1))
    parent[:, 2:9] = root[:, None]
    host = torch.randint(2, 9, (n, 5), generator=g)
    # A child of a child gives three levels, as SAM's three masks want them.
    host[:, 1] = torch.where(chance(0.4, n, generator=g), 9, host[:, 1])
    rows = torch.arange(n)
    for child, slot in enumerate((*CHILDREN, *LESIONS)):
        chosen = host[:, child]
        parent[:, slot] = chosen
        alive[:, slot] &= alive[rows, chosen]
        size = radius[rows, chosen]
        away = uniform(-0.35, 0.35, n, 2, generator=g)
        if slot in CHILDREN:
            radius[:, slot] = size * uniform(0.35, 0.8, n, 1, generator=g)
            similar = chance(0.5, n, generator=g)
            angle[:, slot] = torch.where(similar, angle[rows, chosen], angle[:, slot])
            phase[:, slot] = torch.where(similar[:, None], phase[rows, chosen], phase[:, slot])
            bump[:, slot] = torch.where(similar[:, None], bump[rows, chosen], bump[:, slot])
        else:
            away = away * 2
            radius[:, slot] = torch.minimum(radius[:, slot], 0.5 * size)
        # An arc has no middle to lie in, so its child sits on the band itself.
        on_band = kind[rows, chosen] == ARC
        turn = angle[rows, chosen]
        band = torch.stack([turn.cos(), turn.sin()], dim=1) * size[:, :1]
        offset = torch.where(on_band[:, None], band, away * size.mean(dim=1, keepdim=True))
        centre[:, slot] = centre[rows, chosen] + offset
    half = kind == HALF
    width = torch.where(half, uniform(-0.3, 0.3, n, s, generator=g), width)

    middle = uniform(-0.6, 0.6, n, s, generator=g)
    height = uniform(0.35, 1.3, n, s, generator=g)
    middle[:, [BODY, LAYER]] = 0.0
    height[:, [BODY, LAYER]] = uniform(2.0, 6.0, n, 1, generator=g)
    for slot in CHILDREN:
        middle[:, slot] = middle[rows, parent[:, slot]] + normal(0.15, n, generator=g)
    view = torch.stack(
        [
            torch.exp(uniform(-0.2, 0.6, n, generator=g)),
            normal(0.25, n, generator=g),
            normal(0.15, n, generator=g),
            normal(0.15, n, generator=g),
        ],
        dim=1,
    )
    return Scene(
        alive=alive, kind=kind, parent=parent, centre=centre, radius=radius, angle=angle,
        bump=bump, phase=phase, width=width, middle=middle, height=height,
        drift=normal(0.1, n, s, 2, generator=g),
        warp=normal(0.06, n, 2, NODES, NODES, generator=g),
        warp_drift=normal(0.05, n, 2, NODES, NODES, generator=g),
        view=view, paired=paired,
    )  # fmt: skip


def another_patient(scene: Scene, amount: float, generator: torch.Generator) -> Scene:
    """The same anatomy in another patient: every shape a little different.

    amount: 0 changes nothing, 1 is about the spread between patients.
    """
    g, n, s = generator, len(scene), scene.alive.shape[1]
    stretch = torch.exp(normal(0.12 * amount, n, s, 1, generator=g))
    return replace(
        scene,
        centre=scene.centre + normal(0.04 * amount, n, s, 2, generator=g),
        radius=scene.radius * stretch * torch.exp(normal(0.06 * amount, n, s, 2, generator=g)),
        angle=scene.angle + normal(0.1 * amount, n, s, generator=g),
        bump=scene.bump + normal(0.03 * amount, n, s, HARMONICS, generator=g),
        middle=scene.middle + normal(0.08 * amount, n, s, generator=g),
        warp=scene.warp + normal(0.04 * amount, n, 2, NODES, NODES, generator=g),
        view=scene.view + normal(0.08 * amount, n, 4, generator=g),
    )
