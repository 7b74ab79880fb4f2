"""When two predictions count as the same: to the voxel, but for what no GPU repeats."""

from __future__ import annotations

import numpy as np

from bench.cards import OnCuda

SHARE = 0.01
"""Of a volume's voxels. Sums in another order differ in the last digit; a dozen steps later a few
voxels at the borders of what was hardly learnt may fall to the other side."""


def allowed_voxels(device: str, repeats: OnCuda, voxels: int) -> int:
    """How many may differ. Everything repeats on a CPU; on CUDA, where the check asks for torch's
    deterministic algorithms, all that the card does not call close."""
    if not device.startswith("cuda") or repeats != "close":
        return 0
    return int(SHARE * voxels)


def too_many(found: np.ndarray, expected: np.ndarray, *, device: str, repeats: OnCuda) -> str:
    """What to say of the voxels that differ, or "" where they are no more than allowed.
    found, expected: (D, H, W) labels"""
    wrong = int((found != expected).sum())
    allowed = allowed_voxels(device, repeats, expected.size)
    if wrong <= allowed:
        return ""
    more = f" ({allowed} may, on a GPU, of a method that is close there)" if allowed else ""
    return f"{wrong} voxels{more}"
