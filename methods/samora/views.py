"""Views of unlabelled slices: two of each to be told to be one, or a noisy one to be cleaned."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

NOISE = 0.08
BLUR = (0.6, 1.4)
"""Standard deviations: of the noise in grey values, of a blur in pixels."""
REACH = 2
"""Pixels that a blur sees to each side."""


def contrast_views(images: Tensor) -> Tensor:
    """(B, 1, S, S) in [0, 1] -> one random view of each, in [0, 1].

    Half are turned by a multiple of 90 degrees and perhaps mirrored; 60 % rotated by up to 20
    degrees; half cropped to a side of 60 to 100 %; all stretched to [0, 1], then made brighter and
    more contrasted or less; 30 % blurred.
    """
    moved = F.grid_sample(images, _places(images), mode="bilinear", align_corners=False)
    low, high = moved.amin((1, 2, 3), keepdim=True), moved.amax((1, 2, 3), keepdim=True)
    grey = (moved - low) / (high - low).clamp(min=1e-6)
    contrast, brightness = _uniform(images, 0.85, 1.15), _uniform(images, -0.15, 0.15)
    grey = (grey * contrast.view(-1, 1, 1, 1) + brightness.view(-1, 1, 1, 1)).clamp(0, 1)
    return blurred(grey, share=0.3)


def noisy(images: Tensor) -> Tensor:
    """(B, 1, S, S) in [0, 1] -> with noise, clipped, and half of them blurred."""
    return blurred((images + NOISE * torch.randn_like(images)).clamp(0, 1), share=0.5)


def blurred(images: Tensor, *, share: float) -> Tensor:
    """(B, 1, S, S): this share of them through a Gaussian of a random width."""
    sigma = _uniform(images, *BLUR)[:, None]
    at = torch.arange(-REACH, REACH + 1, device=images.device)
    kernel = (-(at**2) / (2 * sigma**2)).exp()
    kernel = torch.where(_some(images, share)[:, None], kernel, (at == 0).to(kernel))
    kernel = kernel / kernel.sum(1, keepdim=True)
    count = len(images)
    x = F.pad(images, (REACH,) * 4, mode="replicate").transpose(0, 1)  # an image a channel
    x = F.conv2d(x, kernel.view(count, 1, -1, 1), groups=count)
    return F.conv2d(x, kernel.view(count, 1, 1, -1), groups=count).transpose(0, 1)


def _places(images: Tensor) -> Tensor:
    """(B, S, S, 2): where each pixel of a view comes from."""
    angle = torch.where(_some(images, 0.6), _uniform(images, -20, 20) * math.pi / 180, 0.0)
    quarter = _some(images, 0.5)
    turns = torch.randint(4, (len(images),), device=images.device)
    angle = angle + torch.where(quarter, turns * (math.pi / 2), 0.0)
    mirror = torch.where(quarter & _some(images, 0.5), -1.0, 1.0)
    side = torch.where(_some(images, 0.5), _uniform(images, 0.6, 1), 1.0)
    cos, sin = angle.cos() * side, angle.sin() * side
    across, down = (_uniform(images, -1, 1) * (1 - side) for _ in range(2))
    theta = torch.stack(
        [
            torch.stack([cos * mirror, -sin, across], dim=1),
            torch.stack([sin * mirror, cos, down], dim=1),
        ],
        dim=1,
    )
    return F.affine_grid(theta, list(images.shape), align_corners=False)


def _uniform(images: Tensor, low: float, high: float) -> Tensor:
    """(B,)"""
    return torch.rand(len(images), device=images.device) * (high - low) + low


def _some(images: Tensor, share: float) -> Tensor:
    """(B,) bool"""
    return torch.rand(len(images), device=images.device) < share
