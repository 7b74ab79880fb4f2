"""The image expert: the whole slice looks to the student as it does to a SimCLR teacher."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from bench.train.full_precision import in_float32
from methods.samora.matching import FEATURES, SMALL, distance, head
from methods.samora.student import Student
from methods.samora.views import contrast_views

TEMPERATURE = 0.1
SMALL_SIZE = 64
"""Pixels a side that the small teacher sees."""


class SimclrTeacher(nn.Module):
    """A residual network and its projection: (B, 1, S, S) -> (B, FEATURES), not yet unit vectors.

    small  one basic block a stage on slices of 64 px; else ResNet-50 on the slices as they are
    """

    def __init__(self, *, small: bool) -> None:
        super().__init__()
        block, layers = (BasicBlock, [1, 1, 1, 1]) if small else (Bottleneck, [3, 4, 6, 3])
        self.size = SMALL_SIZE if small else None
        self.body = ResNet(block, layers)
        width = self.body.fc.in_features
        self.body.fc = nn.Identity()
        self.project = nn.Sequential(
            nn.Linear(width, width), nn.BatchNorm1d(width), nn.GELU(), nn.Linear(width, FEATURES)
        )

    def forward(self, images: Tensor) -> Tensor:
        if self.size is not None and self.size != images.shape[-1]:
            images = F.interpolate(
                images, size=(self.size, self.size), mode="bilinear", antialias=True
            )
        return self.project(self.body(images.expand(-1, 3, -1, -1)))

    def prepare(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return contrast_views(images), contrast_views(images)

    def loss(self, one: Tensor, other: Tensor) -> Tensor:
        """Its own continued pre-training: two views of each slice find one another."""
        return contrastive(self(torch.cat([one, other])))


@in_float32
def contrastive(features: Tensor, *, temperature: float = TEMPERATURE) -> Tensor:
    """NT-Xent of (2N, d): row i and row i + N are a pair, all other rows of the batch are not."""
    unit = F.normalize(features, dim=-1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    scores = (unit @ unit.T / temperature).masked_fill(itself, float("-inf"))
    pair = torch.arange(len(unit), device=unit.device).roll(len(unit) // 2)
    return F.cross_entropy(scores, pair)


class ImageLevel(nn.Module):
    """The student's head and its loss against a teacher that no longer learns.

    The teacher's batch norms see the batch: after a few steps on a small pool their running means
    would say nothing yet.
    """

    def __init__(self, student: Student, teacher: SimclrTeacher) -> None:
        super().__init__()
        self.head = head(student.width)
        # A tuple: neither is a part of what is trained here.
        self._others = (student, teacher.train().requires_grad_(False))

    def prepare(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return contrast_views(images), contrast_views(images)

    def loss(self, one: Tensor, other: Tensor) -> Tensor:
        """Two views, each on both sides; the mean of both distances."""
        student, teacher = self._others
        views = torch.cat([one, other])
        with torch.no_grad():
            aim = teacher(views)
        return distance(self.head(student.embeddings(views).mean((2, 3))), aim)


def make_teacher(student: Student) -> SimclrTeacher:
    return SimclrTeacher(small=student.token_width < SMALL)
