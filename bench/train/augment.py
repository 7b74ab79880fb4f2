"""Random views of a batch of slices, made on the batch's own device in one go."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from bench.protocol import UNLABELLED
from bench.train.warp import warped


def random_views(
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    degrees: float = 15.0,
    scale: float = 0.15,
    shift: float = 0.08,
    gamma: float = 0.35,
    noise: float = 0.05,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rotated, scaled, shifted slices with changed contrast and noise. No flips: anatomy has sides.

    images (N, 1, s, s) in [0, 1]; labels (N, s, s) uint8. What comes in from outside is 0 in the
    image and UNLABELLED in the label. The arguments are the half-widths of uniform distributions
    (`gamma` of its logarithm), `noise` the largest standard deviation.
    """
    n, device = len(images), images.device

    def uniform(width: float) -> torch.Tensor:
        return (torch.rand(n, device=device) * 2 - 1) * width

    angle = uniform(math.radians(degrees))
    zoom = 1 / (1 + uniform(scale))
    theta = torch.stack(
        [
            torch.stack([angle.cos() * zoom, -angle.sin() * zoom, uniform(2 * shift)], dim=1),
            torch.stack([angle.sin() * zoom, angle.cos() * zoom, uniform(2 * shift)], dim=1),
        ],
        dim=1,
    )
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    moved, turned = warped(images, labels, grid, outside=UNLABELLED)

    power = uniform(gamma).exp().view(n, 1, 1, 1)
    contrast = (1 + uniform(0.2)).view(n, 1, 1, 1)
    brightness = uniform(0.1).view(n, 1, 1, 1)
    grain = torch.rand(n, device=device).view(n, 1, 1, 1) * noise
    views = moved.clamp(0, 1) ** power * contrast + brightness
    return (views + grain * torch.randn_like(views)).clamp(0, 1), turned
