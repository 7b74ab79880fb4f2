"""Random views of a batch of grey slices, made on the batch's own device in one go.

The kinds and most ranges are the specification's; where it says nothing, the number is an option.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

CPU_PIXELS = 2**20
"""At once: more of them fall out of the cache between two operations."""


@dataclass(frozen=True)
class Views:
    """crop        share of the area that is kept, from this to 1
    degrees     a rotation by up to this, to either side
    strength    brightness and contrast are multiplied by up to 1 less or more of this
    gamma       range of the exponent
    noise       largest standard deviation, in grey values
    blur        largest standard deviation, in pixels; half of the views are blurred
    """

    crop: float = 0.3
    degrees: float = 20.0
    strength: float = 0.4
    gamma: tuple[float, float] = (0.7, 1.5)
    noise: float = 0.05
    blur: float = 1.5

    def both(self, images: Tensor) -> Tensor:
        """(N, 1, S, S) in [0, 1] -> a view of each in [0, 1]: elsewhere, and of other grey."""
        most = CPU_PIXELS // images[0].numel() if images.device.type == "cpu" else len(images)
        parts = images.split(max(1, most))
        return torch.cat([self.grey(self.place(part)) for part in parts])

    def place(self, images: Tensor) -> Tensor:
        """(N, 1, S, S) cropped, resized, mirrored, rotated. Outside of a slice there is 0."""
        side = _uniform(images, self.crop, 1.0).sqrt()
        reach = math.radians(self.degrees)
        angle = _uniform(images, -reach, reach)
        mirror = torch.where(_uniform(images, 0, 1) < 0.5, -1.0, 1.0)
        cos, sin = angle.cos() * side, angle.sin() * side
        across, down = (_uniform(images, -1, 1) * (1 - side) for _ in range(2))
        theta = torch.stack([cos * mirror, -sin, across, sin * mirror, cos, down], dim=1)
        grid = places_of(theta.view(-1, 2, 3), images.shape[-1])
        return F.grid_sample(images, grid, mode="bilinear", align_corners=False)

    def grey(self, images: Tensor) -> Tensor:
        """(N, 1, S, S) in [0, 1] -> the same places: gamma, contrast, brightness, noise, blur."""
        count = len(images)
        power = _uniform(images, *self.gamma).view(count, 1, 1, 1)
        bright, contrast = (
            _uniform(images, 1 - self.strength, 1 + self.strength).view(count, 1, 1, 1)
            for _ in range(2)
        )
        views = images.clamp(0, 1).pow_(power)
        # b (c x + (1 - c) mean): contrast around a view's own mean, then brightness.
        middle = views.mean((2, 3), keepdim=True)
        views.mul_(bright * contrast).add_(bright * (1 - contrast) * middle)
        if self.noise > 0:
            grain = _uniform(images, 0, self.noise).view(count, 1, 1, 1)
            views.add_(torch.randn_like(views).mul_(grain))
        return self._blurred(views).clamp_(0, 1)

    def _blurred(self, images: Tensor) -> Tensor:
        """Half of them through a Gaussian of a random width; changed in place."""
        if self.blur > 0 and images.device.type == "cuda":
            return self.blurred_some(images)
        chosen = torch.nonzero(_uniform(images, 0, 1) < 0.5)[:, 0]
        if self.blur <= 0 or not len(chosen):
            return images
        sigma = _uniform(images[chosen], 0, self.blur).clamp(min=1e-2)
        images[chosen] = blurred(images[chosen], sigma, reach=math.ceil(2 * self.blur))
        return images

    def blurred_some(self, images: Tensor) -> Tensor:
        """The same on a GPU: all are blurred and half are kept. To take half of them first, it
        would have to be waited for until they are counted."""
        some = (_uniform(images, 0, 1) < 0.5).view(-1, 1, 1, 1)
        sigma = _uniform(images, 0, self.blur).clamp(min=1e-2)
        return torch.where(some, blurred(images, sigma, reach=math.ceil(2 * self.blur)), images)


def blurred(images: Tensor, sigma: Tensor, *, reach: int) -> Tensor:
    """(N, 1, S, S), each through a Gaussian of its own sigma (N,) in pixels, cut at `reach`."""
    at = torch.arange(-reach, reach + 1, device=images.device)
    kernel = (-(at**2) / (2 * sigma[:, None] ** 2)).exp()
    kernel = kernel / kernel.sum(1, keepdim=True)
    count = len(images)
    x = F.pad(images, (reach,) * 4, mode="replicate").transpose(0, 1)  # an image a channel
    x = F.conv2d(x, kernel.view(count, 1, -1, 1), groups=count)
    return F.conv2d(x, kernel.view(count, 1, 1, -1), groups=count).transpose(0, 1)


def places_of(theta: Tensor, side: int) -> Tensor:
    """(N, 2, 3) -> (N, S, S, 2), what `affine_grid` gives: here each coordinate is the sum of a row
    and a column, where that has a matrix product a pixel."""
    at = (torch.arange(side, device=theta.device) * 2 + 1) / side - 1
    grid = theta.new_empty(len(theta), side, side, 2)
    for axis in (0, 1):
        across, down, start = theta[:, axis].unbind(1)
        row, column = across[:, None] * at, down[:, None] * at + start[:, None]
        torch.add(column[:, :, None], row[:, None, :], out=grid[..., axis])
    return grid


def _uniform(images: Tensor, low: float, high: float) -> Tensor:
    """(N,)"""
    return torch.rand(len(images), device=images.device) * (high - low) + low
