"""Whole files, neither more than is allowed nor less than there is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.smallfile import read_small


@pytest.mark.parametrize("size", [0, 1, 99, 100])
def test_all_of_it(tmp_path: Path, size: int) -> None:
    path = tmp_path / "text"
    path.write_bytes(bytes(range(size)))
    assert read_small(path, 100) == bytes(range(size))


def test_one_byte_too_long(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(bytes(101))
    with pytest.raises(OSError, match="longer than the 100 bytes that are read"):
        read_small(path, 100)


@pytest.mark.parametrize("grown", [40, 100, 101])
def test_one_that_grows_between_two_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grown: int
) -> None:
    """As a file of the kernel's does, which says that it is empty."""
    path = tmp_path / "text"
    path.write_bytes(bytes(10))
    before = os.stat(path)
    path.write_bytes(bytes(grown))
    monkeypatch.setattr(Path, "stat", lambda _: before)
    if grown <= 100:
        assert read_small(path, 100) == bytes(grown)
    else:
        with pytest.raises(OSError, match="longer than"):
            read_small(path, 100)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        read_small(tmp_path / "pipe")
