"""docs/api.md: its examples run, and it names every column."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import bench

BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_the_examples_run_and_say_what_they_should(
    project_root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocks = BLOCK.findall((project_root / "docs" / "api.md").read_text())
    assert len(blocks) == 4
    monkeypatch.chdir(project_root)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    names: dict[str, Any] = {}
    exec(blocks[0], names)
    (row,) = names["scores"].to_dict("records")
    # 16 columns moved by 4: 12 of 16 are shared.
    assert row["class"] == "organ"
    assert row["dice"] == pytest.approx(0.75)
    assert row["hd95"] == pytest.approx(4.0)
    exec(blocks[1], names)
    written = pd.read_csv(next(tmp_path.glob("*/scores.csv")))
    assert written[["case", "class", "dice"]].values.tolist() == [["case01", "organ", 0.75]]
    exec(blocks[2], names)
    exec(blocks[3], names)
    assert len(names["units"]) == len(list((project_root / "results/records").rglob("*.json")))
    assert names["by_patient"].index.names[-2:] == ["class", "patient"]


def test_the_page_names_every_column(project_root: Path) -> None:
    page = (project_root / "docs" / "api.md").read_text()
    results = bench.load_results(project_root / "results")
    frames = (results.units, results.scores, results.curve, bench.evaluate([[1]], [[1]]))
    for column in (name for frame in frames for name in frame):
        assert f"`{column}`" in page
        assert column in str(bench.Results.__doc__) + str(bench.evaluate.__doc__)
