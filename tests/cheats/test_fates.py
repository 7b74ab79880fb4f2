"""docs/cheating.md says what the tests hold, of every method that is here."""

from __future__ import annotations

from pathlib import Path

from bench.registry import discover
from tests.cheats.fates import FATES, HERE, table


def test_every_method_has_a_fate() -> None:
    found = {name for name, entry in discover([HERE]).methods.items() if entry.origin == "include"}
    bait = {"steals_nothing", "steals_leaves", "breaks_nothing"}
    assert found - bait == set(FATES)
    assert len(FATES) >= 22


def test_the_page_shows_them(project_root: Path) -> None:
    """python -m tests.cheats.fates prints the table."""
    page = (project_root / "docs" / "cheating.md").read_text(encoding="utf-8")
    assert table() in page
