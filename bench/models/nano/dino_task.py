"""Training of the nano DINO: self-distillation between two drawings of the same patient.

Student and teacher see different slices, scans and crops of one drawn patient; the student says
what the teacher says. The teacher is the student's running mean; its answers are balanced over the
batch so that no prototype is the answer to everything.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.models.nano import sizes
from bench.models.nano.drawing.fields import chance, normal, uniform
from bench.models.nano.drawing.look import another_scan, random_looks, shown
from bench.models.nano.drawing.raster import label_maps
from bench.models.nano.drawing.scene import another_patient, random_scenes
from bench.models.nano.networks import build_dino, normalised
from bench.models.nano.start import settle_dino

PROTOTYPES = 256
STUDENT_HEAT, TEACHER_HEAT = 0.1, 0.03
SPREAD = 0.3  # weight of the term that keeps embeddings apart
KEEP = 0.99  # share of the old teacher that a step keeps
DRAWN = 96  # pixels of the drawings
GLOBAL, LOCAL = 80, 40  # pixels of the two kinds of crop


class Head(nn.Module):
    """Embedding to prototype scores: two layers, then cosines with the prototypes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, 512), nn.GELU(), nn.Linear(512, 128))
        self.prototypes = nn.Linear(128, PROTOTYPES, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width) to (N, PROTOTYPES)."""
        return F.linear(
            F.normalize(self.layers(x).float(), dim=1),
            F.normalize(self.prototypes.weight.float(), dim=1),
        )


def draw_views(patients: int, views: int, size: int, generator: torch.Generator) -> Tensor:
    """(views, patients, 1, size, size): slices of the same or a similar patient, scanned anew."""
    g = generator
    scene = random_scenes(patients, g)
    look = random_looks(scene, g)
    z = uniform(-0.5, 0.5, patients, generator=g)
    drawn = []
    for _ in range(views):
        label = label_maps(
            another_patient(scene, 0.7, g), z + normal(0.1, patients, generator=g), size
        )
        drawn.append(shown(label, another_scan(look, 1.0, g), g))
    return torch.stack(drawn)


def cropped(images: Tensor, size: int, least: float, most: float, g: torch.Generator) -> Tensor:
    """A random square of each image (N, 1, H, H), `least` to `most` of its side, as size x size."""
    count = len(images)
    side = uniform(least, most, count, generator=g)
    shift = (2 * torch.rand(count, 2, generator=g) - 1) * (1 - side)[:, None]
    flip = torch.where(chance(0.5, count, generator=g), -1.0, 1.0)
    frame = torch.zeros(count, 2, 3)
    frame[:, 0, 0], frame[:, 1, 1] = side * flip, side
    frame[:, :, 2] = shift
    grid = F.affine_grid(frame, [count, 1, size, size], align_corners=False)
    crop = F.grid_sample(images, grid, align_corners=False, padding_mode="border")
    # Contrast and brightness say nothing about anatomy; sometimes even bright and dark swap.
    contrast = torch.exp(normal(0.3, count, 1, 1, 1, generator=g))
    crop = (crop - 0.5) * contrast + 0.5 + normal(0.1, count, 1, 1, 1, generator=g)
    swap = chance(0.1, count, 1, 1, 1, generator=g)
    return torch.where(swap, 1 - crop, crop).clamp(0, 1)


def balanced(scores: Tensor, rounds: int = 3) -> Tensor:
    """Scores (N, P) as N distributions that use all P prototypes alike (Sinkhorn-Knopp)."""
    share = torch.exp((scores - scores.max()).double())
    for _ in range(rounds):
        share = share / share.sum(dim=0, keepdim=True).clamp(min=1e-300)
        share = share / share.sum(dim=1, keepdim=True)
    return share.float()


def crowding(x: Tensor) -> Tensor:
    """Mean of -log distance to the nearest other embedding of (N, C), on the sphere (KoLeo)."""
    unit = F.normalize(x, dim=1)
    gap = (2 - 2 * unit @ unit.T + 9 * torch.eye(len(x), device=x.device)).min(dim=1).values
    return -(gap.clamp(min=1e-6).sqrt()).log().mean()


class DinoTask(nn.Module):
    """One step: N patients, two global and two local views each."""

    def __init__(self, patients: int = 24) -> None:
        super().__init__()
        self.patients = patients
        body = build_dino()
        settle_dino(body)
        self.student = nn.ModuleList([body, Head(sizes.DINO["embed_dim"])])
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)

    @property
    def network(self) -> nn.Module:
        """What is shipped: the teacher, a mean over many students."""
        return self.teacher[0]

    def loss(self, generator: torch.Generator, device: torch.device) -> dict[str, Tensor]:
        """The loss of one batch drawn from the generator, and figures to log."""
        views = draw_views(self.patients, 2, DRAWN, generator)
        both = views.flatten(0, 1)
        large = cropped(both, GLOBAL, 0.7, 1.0, generator).to(device)
        small = cropped(both, LOCAL, 0.3, 0.6, generator).to(device)
        large, small = (normalised(x, sizes.DINO) for x in (large, small))
        with torch.no_grad():
            said = self.teacher[1](self.teacher[0](large))
            target = balanced(said / TEACHER_HEAT)
        first, second = target.chunk(2)
        body, head = self.student
        seen = body(large)
        a, b = (head(seen) / STUDENT_HEAT).chunk(2)
        c, d = (head(body(small)) / STUDENT_HEAT).chunk(2)
        # Every student view is told by the teacher's view of the other drawing, locals by both.
        pairs = [(a, second), (b, first), (c, first), (c, second), (d, first), (d, second)]
        terms = [-(t * s.log_softmax(dim=1)).sum(dim=1).mean() for s, t in pairs]
        apart = sum(crowding(half) for half in seen.float().chunk(2)) / 2
        return {
            "loss": torch.stack(terms).mean() + SPREAD * apart,
            "apart": torch.as_tensor(apart).detach(),
            "sharp": -(target * (target + 1e-9).log()).sum(dim=1).mean(),
        }

    @torch.no_grad()
    def after_step(self) -> None:
        """Move the teacher towards the student."""
        for mean, new in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            mean.lerp_(new, 1 - KEEP)
