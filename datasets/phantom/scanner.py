"""The scanners that look at the phantom: the same tissue looks different at each site."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .shapes import blur, smooth
from .stream import Stream

BRIGHTEST = 2047
"""Whole numbers up to 2048 are exact in float16, so the store keeps the phantom at half size."""


@dataclass(frozen=True)
class Site:
    """What a scanner does.

    gain, offset  brightness of everything       contrast  the organ against its surroundings
    noise         standard deviation             shading   share by which the coil shades
    spread        share of a voxel that its in-plane neighbours get
    """

    name: str
    gain: float
    offset: float
    contrast: float
    noise: float
    shading: float
    spread: float


SITES = (
    Site("north", gain=1.00, offset=0, contrast=1.00, noise=22, shading=0.30, spread=0.30),
    Site("east", gain=0.72, offset=35, contrast=0.85, noise=20, shading=0.40, spread=0.45),
    Site("south", gain=1.30, offset=10, contrast=1.10, noise=40, shading=0.45, spread=0.20),
)


def scan(tissue: np.ndarray, stream: Stream, site: Site) -> np.ndarray:
    """(D, H, W) brightness -> (D, H, W) int16: blur, shading, Rician noise, whole numbers."""
    field = 1 + site.shading * smooth(stream, tissue.shape, (2, 2, 2))
    signal = site.gain * blur(tissue, site.spread) * field
    real = signal + site.noise * stream.normals(*tissue.shape)
    imaginary = site.noise * stream.normals(*tissue.shape)
    image = np.sqrt(real * real + imaginary * imaginary) + site.offset
    return np.clip(np.rint(image), 0, BRIGHTEST).astype(np.int16)
