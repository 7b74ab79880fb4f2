"""The patch expert: a patch looks to the student, who sees the whole slice, as it does to an MAE
teacher, who sees a quarter of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.samora.mae import LARGE, TINY, MaskedAutoencoder, picked
from methods.samora.matching import FEATURES, SMALL, distance, head
from methods.samora.student import Student


class PatchLevel(nn.Module):
    """The student's head and its loss against a teacher that no longer learns."""

    def __init__(self, student: Student, teacher: MaskedAutoencoder) -> None:
        super().__init__()
        self.head = head(student.token_width)
        width = teacher.norm.normalized_shape[0]
        # Drawn once and never trained: it brings the teacher's tokens to the student's width.
        project = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, FEATURES))
        project = project.to(teacher.positions.device)
        self._others = (student, *(part.requires_grad_(False) for part in (teacher, project)))

    def prepare(self, images: Tensor) -> tuple[Tensor]:
        return (images,)

    def loss(self, images: Tensor) -> Tensor:
        student, teacher, project = self._others
        kept = teacher.draw(len(images))
        with torch.no_grad():
            aim = project(teacher.encode(images, kept))
        return distance(self.head(picked(student.tokens(images), kept)), aim)


def make_teacher(student: Student) -> MaskedAutoencoder:
    """Its patches are the student's tokens, one for one."""
    size = TINY if student.token_width < SMALL else LARGE
    return MaskedAutoencoder(size, grid=student.size // student.patch, patch=student.patch)
