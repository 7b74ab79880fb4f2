"""Volumes made small enough for a page: windowed slices as one JPEG, labels as runs."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np

from bench.protocol import UNLABELLED

SIDE = 320
"""Longest side in pixels; larger slices are thinned."""
DEPTH = 64
"""Most slices of a case."""


@dataclass(frozen=True)
class Thinned:
    """Which voxels are shown: these slices, every `stride`-th row and column."""

    slices: np.ndarray
    stride: int

    def of(self, volume: np.ndarray) -> np.ndarray:
        found: np.ndarray = volume[self.slices, :: self.stride, :: self.stride]
        return found


def thinning(label: np.ndarray) -> Thinned:
    """All slices where they are few; else those around what is labelled, evenly spaced."""
    depth = label.shape[0]
    chosen = np.arange(depth)
    if depth > DEPTH:
        there = np.flatnonzero(((label > 0) & (label != UNLABELLED)).any(axis=(1, 2)))
        low, high = (there[0], there[-1]) if len(there) else (0, depth - 1)
        low, high = max(0, low - 2), min(depth - 1, high + 2)
        chosen = np.unique(np.linspace(low, high, min(DEPTH, high - low + 1)).round().astype(int))
    return Thinned(chosen, max(1, -(-max(label.shape[1:]) // SIDE)))


def strip(image: np.ndarray) -> str:
    """(slices, rows, columns) -> one JPEG below another, as a data address.

    The window goes from the 1st to the 99.5th percentile of the whole volume.
    """
    from PIL import Image

    values = np.nan_to_num(image.astype(np.float32))
    low, high = np.percentile(values, [1, 99.5])
    grey = np.clip((values - low) / max(float(high - low), 1e-6), 0, 1)
    stacked = (255 * grey).round().astype(np.uint8).reshape(-1, image.shape[2])
    buffer = io.BytesIO()
    Image.fromarray(stacked).save(buffer, format="JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def runs(label: np.ndarray) -> str:
    """uint8 labels -> (value, length) pairs, the length in seven bits a byte, as base64."""
    flat = np.ascontiguousarray(label, dtype=np.uint8).ravel()
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    lengths = np.diff(np.concatenate([starts, [len(flat)]]))
    packed = bytearray()
    for value, length in zip(flat[starts].tolist(), lengths.tolist(), strict=True):
        packed.append(value)
        while length >= 128:
            packed.append(128 | (length & 127))
            length >>= 7
        packed.append(length)
    return base64.b64encode(bytes(packed)).decode()
