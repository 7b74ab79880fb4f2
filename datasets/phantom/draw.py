"""One patient of the phantom: a body of its own size, an anatomy, a scan at the patient's site."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .anatomy import anatomy
from .scanner import SITES, Site, scan
from .shapes import Grid, Point
from .stream import Stream

SEED = 20240607
LENGTH = 140.0
"""Millimetres of body that a volume covers."""


@dataclass(frozen=True, eq=False)
class Patient:
    """image (D, H, W) int16, label (D, H, W) uint8, spacing in mm (z, y, x)."""

    image: np.ndarray
    label: np.ndarray
    spacing: Point


def site_of(number: int) -> Site:
    return SITES[number % len(SITES)]


def draw_patient(number: int) -> Patient:
    """Patient `number` (0, 1, ...): always the same voxels, on every machine."""
    stream, site = Stream(SEED, number), site_of(number)
    half_height, half_width = stream.uniform(66, 80), stream.uniform(88, 104)
    pixel = round(stream.uniform(2.2, 2.9), 2)
    spacing = (round(stream.uniform(5.0, 6.5), 1), pixel, pixel)
    # The field of view follows the body, in steps of four pixels: sizes differ between patients.
    side = 4 * int(2.25 * half_width / pixel / 4 + 0.5)
    grid = Grid.of((int(LENGTH / spacing[0] + 0.5), side, side), spacing)
    tissue, label = anatomy(
        grid, stream, half_height=half_height, half_width=half_width, contrast=site.contrast
    )
    return Patient(scan(tissue, stream, site), label, spacing)
