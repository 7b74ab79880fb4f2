"""Fixtures that every area may use."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `shared` need real volumes that no checkout holds."""
    if SHARED.is_dir():
        return
    absent = pytest.mark.skip(reason="the local real volumes (../shared/data) are absent")
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(absent)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real labelled volumes; only for tests marked `shared`."""
    return SHARED


@pytest.fixture(scope="session")
def project_root() -> Path:
    return ROOT
