"""Predictions are compared to the voxel, but for methods that no GPU repeats."""

from __future__ import annotations

import numpy as np
import pytest

from bench.cards import OnCuda
from bench.check.tolerance import allowed_voxels, too_many


@pytest.mark.parametrize(
    ("device", "repeats", "allowed"),
    [
        ("cpu", "close", 0),
        ("cpu", "bits", 0),
        ("cuda", "bits", 0),
        ("cuda:1", "deterministic", 0),
        ("cuda", "close", 10),
        ("cuda:1", "close", 10),
    ],
)
def test_how_many_may_differ(device: str, repeats: OnCuda, allowed: int) -> None:
    assert allowed_voxels(device, repeats, 1000) == allowed


def test_the_line() -> None:
    expected = np.zeros((10, 10, 10), np.uint8)
    found = expected.copy()
    found[0, 0, :] = 1  # 10 of 1000
    assert too_many(found, expected, device="cuda", repeats="close") == ""
    assert too_many(found, expected, device="cpu", repeats="close") == "10 voxels"
    assert too_many(found, expected, device="cuda", repeats="deterministic") == "10 voxels"
    found[1, 0, 0] = 1
    assert too_many(found, expected, device="cuda", repeats="close") == (
        "11 voxels (10 may, on a GPU, of a method that is close there)"
    )
