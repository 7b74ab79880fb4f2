"""Smooth random fields: the raw material of warps, bias fields and textures."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def uniform(low: float, high: float, *shape: int, generator: torch.Generator) -> Tensor:
    """Uniform numbers in [low, high) of the given shape."""
    return low + (high - low) * torch.rand(*shape, generator=generator)


def normal(scale: float, *shape: int, generator: torch.Generator) -> Tensor:
    """Gaussian numbers of mean 0 and the given standard deviation."""
    return scale * torch.randn(*shape, generator=generator)


def chance(probability: float, *shape: int, generator: torch.Generator) -> Tensor:
    """Booleans that are true with the given probability."""
    return torch.rand(*shape, generator=generator) < probability


def grown(nodes: Tensor, size: int) -> Tensor:
    """Control values (N, C, n, n) spread smoothly over a grid: (N, C, size, size)."""
    mode = "bicubic" if nodes.shape[-1] <= 16 else "bilinear"
    return F.interpolate(nodes, size=(size, size), mode=mode, align_corners=False)


def blurred(image: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of (N, H, W), one sigma (N,) in pixels an image, at most 2 pixels."""
    reach = 4
    offsets = torch.arange(-reach, reach + 1, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (offsets[None] / sigma[:, None].clamp(min=0.05)) ** 2)
    kernel = kernel / kernel.sum(dim=1, keepdim=True)
    count = image.shape[0]
    padded = F.pad(image[None], (reach, reach, reach, reach), mode="replicate")
    rows = F.conv2d(padded, kernel[:, None, :, None], groups=count)
    return F.conv2d(rows, kernel[:, None, None, :], groups=count)[0]
