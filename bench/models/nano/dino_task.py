"""Training of the nano DINO: self-distillation between two drawings of the same patient.

Student and teacher see different slices, scans and crops of one drawn patient; the teacher is the
student's running mean. From its own view the student must tell which of the teacher's embeddings in
the batch is the same patient. The other patients of the batch do what centring and prototypes do in
DINO, namely keep all embeddings from becoming one, and they do it from the first step: with
prototypes the teacher's first answers say nothing, and a short training ends before they do.

A helper task uses the label maps: tell from the features of two positions, one in each drawing,
whether they show the same structure.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.models.nano.affinity import Affinity, labels_at
from bench.models.nano.drawing.fields import chance, normal, uniform
from bench.models.nano.drawing.look import another_scan, random_looks, shown
from bench.models.nano.drawing.raster import label_maps
from bench.models.nano.drawing.scene import another_patient, random_scenes
from bench.models.nano.networks import build_dino, normalised
from bench.models.nano.start import settle_dino

CODES = 128
HEAT = 0.2  # temperature of the student's choice
KEEP_FIRST, KEEP_LAST = 0.8, 0.99  # share of the old teacher that a step keeps
SMALL, LARGE = 64, 96  # pixels of the views in the first part of the training and in the second
SMALL_UNTIL = 0.7
AFFINITY = 1.0  # weight of the helper task


def head(inputs: int) -> nn.Sequential:
    """Two layers on top of an embedding, thrown away after training.

    An untrained transformer's embeddings of all images are nearly the same; normalising over the
    batch keeps what little differs, and without it the choice never gets better than guessing.
    """
    return nn.Sequential(
        nn.Linear(inputs, 512),
        nn.BatchNorm1d(512),
        nn.GELU(),
        nn.Linear(512, CODES),
        nn.BatchNorm1d(CODES, affine=False),
    )


def draw_views(
    patients: int, views: int, size: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Slices of the same or a similar patient, scanned anew: images (views, patients, 1, size,
    size) and what they show (views, patients, size, size)."""
    g = generator
    scene = random_scenes(patients, g)
    look = random_looks(scene, g)
    z = uniform(-0.5, 0.5, patients, generator=g)
    drawn, labels = [], []
    for _ in range(views):
        label = label_maps(
            another_patient(scene, 0.7, g), z + normal(0.1, patients, generator=g), size
        )
        drawn.append(shown(label, another_scan(look, 1.0, g), g))
        labels.append(label)
    return torch.stack(drawn), torch.stack(labels)


def cropped(
    images: Tensor, labels: Tensor, size: int, least: float, most: float, g: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A random square of each image (N, 1, H, H) and label map (N, H, H), `least` to `most` of its
    side, as size x size."""
    count = len(images)
    side = uniform(least, most, count, generator=g)
    shift = (2 * torch.rand(count, 2, generator=g) - 1) * (1 - side)[:, None]
    frame = torch.zeros(count, 2, 3)
    frame[:, 0, 0], frame[:, 1, 1] = side, side
    frame[:, :, 2] = shift
    grid = F.affine_grid(frame, [count, 1, size, size], align_corners=False)
    crop = F.grid_sample(images, grid, align_corners=False, padding_mode="border")
    places = F.grid_sample(
        labels[:, None].float(), grid, mode="nearest", align_corners=False, padding_mode="border"
    )
    # Contrast and brightness say nothing about anatomy; sometimes even bright and dark swap.
    contrast = torch.exp(normal(0.2, count, 1, 1, 1, generator=g))
    crop = (crop - 0.5) * contrast + 0.5 + normal(0.1, count, 1, 1, 1, generator=g)
    swap = chance(0.1, count, 1, 1, 1, generator=g)
    return torch.where(swap, 1 - crop, crop).clamp(0, 1), places[:, 0].to(labels.dtype)


def choice(student: Tensor, teacher: Tensor) -> Tensor:
    """Cross-entropy of finding row n of teacher (N, C) from row n of student (N, C) by cosine."""
    scores = F.normalize(student.float(), dim=1) @ F.normalize(teacher.float(), dim=1).T / HEAT
    return F.cross_entropy(scores, torch.arange(len(scores), device=scores.device))


class DinoTask(nn.Module):
    """One step: N patients, two drawings of each, one crop of each drawing."""

    def __init__(self, patients: int = 24) -> None:
        super().__init__()
        self.patients = patients
        body: Any = build_dino()
        settle_dino(body)
        for block in body.blocks:
            # With so few tokens fused attention is slower on a CPU: 1.4 times a whole step.
            block.attn.fused_attn = False
        self.student = nn.ModuleList([body, head(body.embed_dim)])
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.predictor = head(CODES)
        self.affinity = Affinity(body.embed_dim)
        self.size, self.keep = SMALL, KEEP_FIRST

    def begin(self, done: float) -> None:
        """Choose view size and teacher for a training of which the share `done` is over.

        A young teacher knows nothing worth keeping; an old one is a mean over many students.
        """
        self.size = SMALL if done < SMALL_UNTIL else LARGE
        self.keep = KEEP_FIRST + (KEEP_LAST - KEEP_FIRST) * min(1.0, done)

    @property
    def network(self) -> nn.Module:
        """What is shipped: the teacher, a mean over many students."""
        return self.teacher[0]

    def loss(self, generator: torch.Generator, device: torch.device) -> dict[str, Tensor]:
        """The loss of one batch drawn from the generator, and figures to log."""
        views, labels = draw_views(self.patients, 2, self.size, generator)
        crops, places = cropped(
            views.flatten(0, 1), labels.flatten(0, 1), self.size, 0.75, 1.0, generator
        )
        crops = normalised(crops.to(device), "dino")
        with torch.no_grad():
            first, second = self.teacher[1](self.teacher[0](crops)).chunk(2)
        body: Any = self.student[0]
        tokens = body.forward_features(crops)
        a, b = self.predictor(self.student[1](body.forward_head(tokens))).chunk(2)
        # Every student view is matched with the teacher's view of the other drawing.
        choices = (choice(a, second) + choice(b, first)) / 2
        near = F.normalize(a.float(), dim=1) @ F.normalize(second.float(), dim=1).T
        found = near.argmax(dim=1) == torch.arange(len(near), device=device)
        cells = tokens[:, body.num_prefix_tokens :]
        known = labels_at(places, self.size // body.patch_embed.patch_size[0]).to(device)
        helper = self.affinity(*cells.chunk(2), *known.chunk(2))
        return {
            "loss": choices + AFFINITY * helper,
            "found": found.float().mean(),
            "choice": choices.detach(),
            "affinity": helper.detach(),
        }

    @torch.no_grad()
    def after_step(self) -> None:
        """Move the teacher towards the student."""
        for mean, new in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            mean.lerp_(new, 1 - self.keep)
