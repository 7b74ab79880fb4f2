"""Tight square crops of a structure, for `target_mode=crop`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def crops(images: Tensor, labels: Tensor, value: int, *, margin: float) -> tuple[Tensor, Tensor]:
    """images (N, 1, S, S), labels (N, S, S), each with the class -> the same shapes, the smallest
    square around the class over the whole canvas.

    margin: of the square's side, added at each of its sides. What lies beyond the canvas is not
    taken: a square at a border is moved inwards.
    """
    size = labels.shape[-1]
    found_images, found_labels = [], []
    for image, label in zip(images, labels, strict=True):
        rows, columns = (label == value).nonzero(as_tuple=True)
        top, bottom = int(rows.min()), int(rows.max()) + 1
        left, right = int(columns.min()), int(columns.max()) + 1
        side = min(size, round(max(bottom - top, right - left) * (1 + 2 * margin)))
        y = min(max(0, (top + bottom - side) // 2), size - side)
        x = min(max(0, (left + right - side) // 2), size - side)
        part = (slice(y, y + side), slice(x, x + side))
        found_images.append(
            F.interpolate(
                image[None, :, *part], size=(size, size), mode="bilinear", align_corners=False
            )
        )
        resized = F.interpolate(
            label[None, None, *part].float(), size=(size, size), mode="nearest-exact"
        )
        found_labels.append(resized[:, 0].to(label.dtype))
    return torch.cat(found_images), torch.cat(found_labels)
