"""A copy of four cases, and the call that prepares it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.data.prepare import prepare
from bench.data.store import Store
from tests.data.files import Files, write_case

CLASSES = ("organ",)
LAYOUTS = {"official": "", "h5": "h5 crop"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for case in ("a", "b", "c", "d"):
        write_case(tmp_path / "copy", case)
    return tmp_path / "copy"


@pytest.fixture
def make(root: Path, tmp_path: Path) -> Callable[..., Store]:
    def run(dataset: object = None, **changes: object) -> Store:
        arguments = {"name": "la2018", "folder": tmp_path / "stores" / "la2018", "workers": 1}
        arguments |= {"classes": CLASSES, "layouts": LAYOUTS}
        return prepare(dataset or Files(root), **{**arguments, **changes})  # type: ignore[arg-type]

    return run
