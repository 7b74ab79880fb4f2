"""What goes into an encoder: a hash for each image, and the images themselves on demand.

A hit needs the hash alone, so a volume whose slices are all known is never resized.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from bench.contract import Volume
from bench.data.intensity import normalised, window
from bench.data.slices import Canvas

SLICES = "volume slices, 1"
"""Raise the number when `bench.data.slices` or `bench.data.intensity` give other pixels."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """hashes: one an image; load: the images of these indices, (N, channels, size, size)."""

    hashes: tuple[str, ...]
    load: Callable[[Sequence[int]], Tensor]

    def __len__(self) -> int:
        return len(self.hashes)


def image_inputs(images: Tensor) -> Inputs:
    """Finished images (N, channels, H, W), hashed by their own content. Augmented views too."""
    host = images.detach().cpu().contiguous().numpy()
    return Inputs(
        hashes=tuple(_hash("image", image) for image in host),
        load=lambda chosen: images[torch.as_tensor(chosen, device=images.device)],
    )


def volume_inputs(volume: Volume, canvas: Canvas, *, slices: Sequence[int] | None = None) -> Inputs:
    """Slices of a volume on the canvas, (N, 1, size, size) in [0, 1]; None: all of them.

    The hash covers the slice as stored, the volume's intensity window and the canvas: all that
    the pixels are made of.
    """
    chosen_slices = list(range(len(volume.image)) if slices is None else slices)
    made_by = f"{SLICES}: window {window(volume)!r}, canvas {canvas.size}"

    @cache
    def whole() -> np.ndarray:
        return normalised(volume)

    def load(chosen: Sequence[int]) -> Tensor:
        return canvas.images(torch.from_numpy(whole()[[chosen_slices[i] for i in chosen]]))

    return Inputs(hashes=tuple(_hash(made_by, volume.image[z]) for z in chosen_slices), load=load)


def _hash(made_by: str, array: np.ndarray) -> str:
    digest = hashlib.sha256(f"{made_by} {array.dtype} {array.shape} ".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:32]
