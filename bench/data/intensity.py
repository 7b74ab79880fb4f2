"""Intensities of a volume on one scale, from its own voxels alone."""

from __future__ import annotations

import math

import numpy as np

from bench.contract import Volume

LOW, HIGH = 0.5, 99.5
"""Percentiles that become 0 and 1; what lies outside is clipped."""
SAMPLE = 200_000
"""Voxels that the percentiles are taken from, about: evenly spread over the volume."""


def window(volume: Volume) -> tuple[float, float]:
    """The volume's own intensity window (low, high), high > low."""
    flat = volume.image.reshape(-1)
    step = max(1, flat.size // SAMPLE)
    while math.gcd(step, math.prod(volume.image.shape[1:])) > 1:  # else a few columns are all
        step += 1
    low, high = np.percentile(flat[::step].astype(np.float32), (LOW, HIGH))
    return float(low), float(high) if high > low else float(low) + 1.0


def normalised(volume: Volume) -> np.ndarray:
    """(D, H, W) float32 in [0, 1]."""
    low, high = window(volume)
    image = volume.image.astype(np.float32)
    return np.clip((image - low) / (high - low), 0.0, 1.0)
