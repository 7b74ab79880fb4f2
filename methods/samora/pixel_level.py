"""The pixel expert: a noisy slice is cleaned. No teacher."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from bench.train.full_precision import in_float32
from methods.samora.student import Student
from methods.samora.views import noisy

DICE = 0.9
SMOOTH = 1e-5


class Stem(nn.Module):
    """x + two convolutions of it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x + self.change(x))


class PixelLevel(nn.Module):
    """The student's decoder, thrown away after stage 1, and its loss."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        widths = [student.width >> step for step in range(student.patch.bit_length())]  # 16: 4 x 2
        self.decoder = nn.Sequential(
            Stem(widths[0]),
            *(
                nn.Sequential(
                    nn.ConvTranspose2d(wide, narrow, 2, stride=2), nn.BatchNorm2d(narrow), nn.GELU()
                )
                for wide, narrow in pairwise(widths)
            ),
            nn.Conv2d(widths[-1], 1, 3, padding=1),
            nn.Sigmoid(),
        )
        self._others = (student,)

    def prepare(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return noisy(images), images

    def loss(self, given: Tensor, clean: Tensor) -> Tensor:
        (student,) = self._others
        return restoration(self.decoder(student.embeddings(given)), clean)


@in_float32
def restoration(found: Tensor, clean: Tensor) -> Tensor:
    """0.9 Dice + 0.1 mean squared error; both (B, 1, S, S) in [0, 1], Dice of each slice alone."""
    return DICE * grey_dice(found, clean).mean() + (1 - DICE) * F.mse_loss(found, clean)


def grey_dice(found: Tensor, clean: Tensor) -> Tensor:
    """(B,): 1 - (2 sum(p q) + s) / (sum p + sum q + s). Between 0 and 1 where both are in [0, 1];
    it is 0 for equal images only where they are black and white."""
    axes = tuple(range(1, found.ndim))
    overlap, size = (found * clean).sum(axes), found.sum(axes) + clean.sum(axes)
    return 1 - (2 * overlap + SMOOTH) / (size + SMOOTH)
