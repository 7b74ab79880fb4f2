"""kill -9 at random moments of a sweep: what it comes to in the end is what it would have been.

python -m tests.faults.killing kills=200 seed=1
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.killing import campaign


def survive(folder: Path, kills: int) -> None:
    """The seed is in the message of whatever goes wrong."""
    seed = int.from_bytes(os.urandom(3), "big")
    print(f"seed={seed}")
    found = campaign(folder, kills=kills, seed=seed)
    assert sum(found.kills.values()) >= kills
    print(found)


def test_a_few_kills(tmp_path: Path) -> None:
    survive(tmp_path, 6)


@pytest.mark.long
def test_two_hundred_kills(tmp_path: Path) -> None:
    survive(tmp_path, 200)
