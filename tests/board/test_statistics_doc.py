"""`docs/statistics.md` names every key of a claim, every file and every verdict."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from bench.board.claimfile import Arm, Claim
from bench.board.claims import Verdict
from bench.board.statcsvs import STATISTICS


def test_claims(project_root: Path) -> None:
    text = (project_root / "docs" / "statistics.md").read_text(encoding="utf-8")
    section = text.partition("## Claims")[2]
    rows = re.findall(r"^\| (`.+?) \|", section, flags=re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert documented == set(Claim.model_fields)
    assert all(f"`{name}`" in section for name in Arm.model_fields)
    assert all(f"- **{verdict}**" in section for verdict in get_args(Verdict))


def test_files(project_root: Path) -> None:
    for page in ("statistics.md", "board.md"):
        text = (project_root / "docs" / page).read_text(encoding="utf-8")
        assert {name for name in STATISTICS if f"tables/{name}" not in text} == set()
