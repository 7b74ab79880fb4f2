"""Quarter turns, flips and small rotations, as the published code of SAMed draws them
(hitachinsk/SAMed; arXiv 2304.13785), for a whole batch on its own device.

Half of the slices: a turn by 0, 90, 180 or 270 degrees, then a flip of the rows or of the columns.
Half of the rest: a rotation by a whole number of degrees, -20 to 19. The others stay as they are.

The published code rotates images to the nearest pixel, too. Here they are interpolated.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.data.transfer import to_device
from bench.train.warp import warped

DEGREES = 20
BACKGROUND = 0
"""What the published code labels the corners with that a rotation leaves empty."""


def turned_views(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """images (N, 1, s, s) in [0, 1]; labels (N, s, s) uint8 -> the same, moved."""
    n = len(images)
    kind = torch.rand(n)
    theta = torch.where(
        (kind < 0.5)[:, None, None],
        quarter_turns(n),
        torch.where((kind < 0.75)[:, None, None], rotations(n), torch.eye(2)),
    )
    theta = to_device(F.pad(theta, (0, 1)), images.device)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return warped(images, labels, grid, outside=BACKGROUND)


def rotations(n: int) -> Tensor:
    """(n, 2, 2), each by a whole number of degrees."""
    angle = torch.randint(-DEGREES, DEGREES, (n,)) * (math.pi / 180)
    return _matrix(angle.cos(), angle.sin())


def quarter_turns(n: int) -> Tensor:
    """(n, 2, 2): a quarter turn or none, two, three, then a flip along one of the axes."""
    turns = torch.randint(4, (n,))
    cos, sin = torch.tensor([1.0, 0, -1, 0])[turns], torch.tensor([0.0, 1, 0, -1])[turns]
    flip = torch.tensor([[-1.0, 1], [1, -1]])[torch.randint(2, (n,))]
    return flip[:, :, None] * _matrix(cos, sin)


def _matrix(cos: Tensor, sin: Tensor) -> Tensor:
    rows = (torch.stack([cos, -sin], dim=-1), torch.stack([sin, cos], dim=-1))
    return torch.stack(rows, dim=-2)
