"""Rotations, crops and elastic deformations, as the published code of H-SAM draws them
(Cccccczh404/H-SAM; arXiv 2403.18271), for a whole batch on its own device.

45 % of the slices are rotated by a whole number of degrees, -20 to 19. 41.25 % are a square crop of
20 to 80 % of the side, back at full size. 11.7 % get a small affine map and a smooth displacement.
The others stay as they are.

Otherwise than there: labels are looked up to the nearest pixel, also in an elastic deformation,
where the published code interpolates them and so makes up classes between two organs. Images are
interpolated linearly in all cases. What an affine map brings in from outside is black, not a mirror
image.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.data.transfer import to_device
from bench.train.augment_turns import BACKGROUND, rotations
from bench.train.warp import warped

ROTATED, CROPPED, DEFORMED = 0.45, 0.55 * 0.75, 0.55 * 0.25 * 0.85
"""Shares of the slices."""
SMALLEST, LARGEST = 0.2, 0.8
"""Sides of a crop."""
SHIFT = 0.08
"""Of the side: how far a corner of the affine map moves, and the deviation of the smoothing."""
REACH = 2.0
"""Of the side: what the smoothed noise is multiplied by."""


def cropped_views(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """images (N, 1, s, s) in [0, 1]; labels (N, s, s) uint8 -> the same, moved."""
    n, side, device = len(images), images.shape[-1], images.device
    ends = torch.tensor([ROTATED, CROPPED, DEFORMED]).cumsum(0)
    kind = torch.bucketize(torch.rand(n), ends)  # on the host: what follows need not wait for it
    rotate, crop, deform = (kind == number for number in range(3))

    theta = torch.eye(2, 3).repeat(n, 1, 1)
    theta[rotate] = F.pad(rotations(int(rotate.sum())), (0, 1))
    theta[crop] = crops(int(crop.sum()))
    theta[deform] = corner_shifts(int(deform.sum()))
    theta = to_device(theta, device)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    if deform.any():
        chosen = to_device(deform.nonzero()[:, 0], device)
        shift = displacements(len(chosen), side=side, device=device)
        # The affine image is looked up at displaced places.
        grid[chosen] += torch.einsum("nij,nhwj->nhwi", theta[chosen, :, :2], shift)
    return warped(images, labels, grid, outside=BACKGROUND)


def crops(n: int) -> Tensor:
    """(n, 2, 3): a square of a random side, somewhere within the slice, fills it."""
    side = torch.rand(n) * (LARGEST - SMALLEST) + SMALLEST
    centre = (torch.rand(n, 2) * 2 - 1) * (1 - side)[:, None]
    return torch.cat([side[:, None, None] * torch.eye(2), centre[:, :, None]], dim=2)


def corner_shifts(n: int) -> Tensor:
    """(n, 2, 3): three corners of a square of a third of the side, each moved a little."""
    third = 2 / 3
    corners = torch.tensor([[third, third], [third, -third], [-third, -third]])
    moved = corners + (torch.rand(n, 3, 2) * 2 - 1) * (2 * SHIFT)
    # The map takes the moved corners back to where they were: theta [x, y, 1] = corner.
    placed = F.pad(moved, (0, 1), value=1.0)
    return torch.linalg.solve(placed, corners.expand(n, -1, -1)).transpose(1, 2)


def displacements(n: int, *, side: int, device: torch.device) -> Tensor:
    """(n, side, side, 2): smoothed uniform noise, as a share of the half side."""
    noise = torch.rand(n, 2, side, side, device=device) * 2 - 1
    smooth = smoothing(side, SHIFT * side, device)
    pixels = smooth @ noise @ smooth.T * (REACH * side)
    return pixels.permute(0, 2, 3, 1) * (2 / side)


@functools.cache
def smoothing(side: int, deviation: float, device: torch.device | str = "cpu") -> Tensor:
    """(side, side): a Gaussian filter along one axis as a matrix, mirrored at the edges and cut at
    four deviations, as scipy has it."""
    radius = int(4 * deviation + 0.5)
    offsets = torch.arange(-radius, radius + 1)
    kernel = torch.exp(-0.5 * (offsets / deviation) ** 2)
    reached = torch.arange(side)[:, None] + offsets
    mirrored = reached % (2 * side)
    mirrored = torch.where(mirrored < side, mirrored, 2 * side - 1 - mirrored)
    matrix = torch.zeros(side, side)
    matrix.scatter_add_(1, mirrored, (kernel / kernel.sum()).expand(side, -1))
    return matrix.to(device)
