"""The examples do what their README says."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Bench
from tests.volumes import make_volumes

EXAMPLES = ROOT / "examples"
METHOD = EXAMPLES / "intensity_prototypes" / "method.py"
NOTEBOOK = EXAMPLES / "records_to_plot.ipynb"

RUN_CELLS = """
import json, sys
names = {}
for cell in json.load(open(sys.argv[1]))["cells"]:
    if cell["cell_type"] == "code":
        exec("".join(cell["source"]), names)
means = names["means"].stack().rename("dice").reset_index()
points = sum(len(part.get_offsets()) for part in names["figure"].axes[0].collections)
print(json.dumps({"means": means.to_dict("records"), "points": points}))
"""
"""The code cells in their order, in one namespace, as a kernel runs them."""


def board_means(dataset: str) -> dict[tuple[str, str], float]:
    """(method, shots) -> mean Dice, as results/tables/cells.csv has it."""
    with (ROOT / "results" / "tables" / "cells.csv").open(newline="") as file:
        return {
            (row["row"], row["shots"]): float(row["dice_mean"])
            for row in csv.DictReader(file)
            if row["dataset"] == dataset
        }


def test_the_notebook_finds_what_the_board_says(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN_CELLS, str(NOTEBOOK)],
        cwd=EXAMPLES,
        env={**os.environ, "MPLBACKEND": "Agg", "MPLCONFIGDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    means = {(row["method"], row["shots"]): row["dice"] for row in found["means"]}
    assert means == pytest.approx(board_means("phantom"), abs=1e-5)
    methods = {method for method, _ in means}
    assert found["points"] == 12 * len(methods)  # a point for each test patient and method


def test_the_notebook_is_committed_without_outputs() -> None:
    """Outputs would go stale, and their pictures are large."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.slow
def test_the_method_is_short_and_conforms(bench: Bench) -> None:
    lines = [line for line in METHOD.read_text().splitlines() if line.strip()]
    assert len(lines) <= 30
    done = bench("check", "method=intensity_prototypes", "device=cpu", "--include", str(EXAMPLES))
    assert done.code == 0, done.out
    assert " 0 failed" in done.out


def test_the_tutorial_shows_the_method_as_it_is() -> None:
    page = (ROOT / "docs" / "tutorial" / "own_method.md").read_text()
    assert f"```python\n{METHOD.read_text()}```" in page


def own_data(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(EXAMPLES / "own_data.sh"), *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )


def test_own_data_becomes_a_report(tmp_path: Path, cache: Path) -> None:
    make_volumes(tmp_path / "volumes")
    quick = ("method=control_atlas", "shots=1", "draw=0", "device=cpu", f"data.cache={cache}")
    done = own_data("volumes", *quick, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 units done" in done.stdout
    assert "control_atlas" in (tmp_path / "mine" / "report.html").read_text()


def test_own_data_asks_for_the_folder(tmp_path: Path) -> None:
    done = own_data(cwd=tmp_path)
    assert done.returncode != 0
    assert done.stderr.strip().endswith("usage: examples/own_data.sh DIR [key=value ...]")
