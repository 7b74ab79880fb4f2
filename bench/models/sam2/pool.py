"""Memories of labelled slices, made once: what SAM 2 can be shown of a support."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.models.sam2.encode import Features
from bench.models.sam2.memory import Memory, remember, rows_of

if TYPE_CHECKING:
    from sam2.modeling.sam2_base import SAM2Base


@dataclass(frozen=True, eq=False)
class Pool:
    """N slices, K classes: one memory a slice and class, with the class in it or not.

    spatial  (N, K, M, h, w) bfloat16, as the package's own video predictor keeps them
    pointer  (N, K, C) float32      present  (N, K) bool: the slice shows the class
    patient  (N,) int64, `patient_number` of whom the slice is
    """

    spatial: Tensor
    pointer: Tensor
    present: Tensor
    patient: Tensor

    def __len__(self) -> int:
        return len(self.patient)

    def __add__(self, other: Pool) -> Pool:
        return Pool(**{n: torch.cat([v, getattr(other, n)]) for n, v in self.state().items()})

    def take(self, slices: Tensor, classes: Tensor) -> Memory:
        """One memory a row, slices (R,) and classes (R,)."""
        return Memory(self.spatial[slices, classes].float(), self.pointer[slices, classes])

    def others(self, patient: str) -> Tensor:
        """(N,) bool: slices of other patients. One's own slices are near copies of the answer."""
        return self.patient != patient_number(patient)

    def state(self) -> dict[str, Tensor]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], device: torch.device) -> Pool:
        return cls(**{field.name: state[field.name].to(device) for field in fields(cls)})


def empty_pool(sam2: SAM2Base, classes: int, device: torch.device) -> Pool:
    side = sam2.sam_image_embedding_size
    return Pool(
        spatial=torch.zeros(
            0, classes, sam2.mem_dim, side, side, dtype=torch.bfloat16, device=device
        ),
        pointer=torch.zeros(0, classes, sam2.hidden_dim, device=device),
        present=torch.zeros(0, classes, dtype=torch.bool, device=device),
        patient=torch.zeros(0, dtype=torch.int64, device=device),
    )


def remember_labels(
    sam2: SAM2Base, features: Features, labels: Tensor, *, classes: int, patient: str
) -> Pool:
    """A pool of n slices of one patient: labels (n, S, S) uint8 on the canvas, classes 1 .. K."""
    device, count = features.s16.device, len(labels)
    kinds = torch.arange(1, classes + 1, device=device)
    masks = labels.to(device)[:, None] == kinds[:, None, None]
    owner = torch.arange(count, device=device).repeat_interleave(classes)
    memory = remember(sam2, rows_of(features, owner), masks.flatten(0, 1)[:, None].float())
    return Pool(
        spatial=memory.spatial.unflatten(0, (count, classes)).to(torch.bfloat16),
        pointer=memory.pointer.unflatten(0, (count, classes)).float(),
        present=masks.flatten(2).any(dim=2),
        patient=torch.full((count,), patient_number(patient), device=device),
    )


def patient_number(patient: str) -> int:
    """The same in every process, and as a number because a saved state holds nothing else."""
    return int.from_bytes(hashlib.sha256(patient.encode()).digest()[:8], "big") >> 1
