"""The board's files are a pure function of the records."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.board import build, check
from bench.errors import RequestError
from tests.board.factory import machine, record, save

SCRIPT = """
import sys
from pathlib import Path
from bench.board import build
results = Path(sys.argv[1])
build(results, leaderboard=results / "leaderboard.md")
print(sorted(name for name in ("torch", "matplotlib", "monai") if name in sys.modules))
"""


def fill(results: Path) -> None:
    for method, base in (("alpha", 0.6), ("beta", 0.7), ("control_x", 0.2)):
        block = "control" if method == "control_x" else "method"
        for shots in ("1", "5"):
            for draw in range(3):
                dice = [[base + 0.01 * draw + 0.02 * p, base] for p in range(4)]
                made = record(
                    dice,
                    method=method,
                    block=block,
                    classes=("organ", "tumour"),
                    shots=shots,
                    draw=str(draw),
                    seconds=50.0 + draw,
                    on=machine("bbbb2222" if draw == 2 else "aaaa1111"),
                )
                save(results, made)
    classes = ("organ", "tumour")
    save(results, record(method="gamma", shots="5", reason="out of memory", classes=classes))


def contents(results: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in sorted(results.rglob("*"))
        if path.is_file() and "records" not in path.parts
    }


def run(results: Path, **environment: str) -> str:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(results)],
        env={**os.environ, "PYTHONPATH": str(root), **environment},
        cwd=results,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_summary_and_files(tmp_path: Path) -> None:
    fill(tmp_path)
    summary = build(tmp_path, leaderboard=tmp_path / "leaderboard.md")
    assert (summary.records, summary.done, summary.failed, summary.tables) == (19, 18, 1, 1)
    assert {path.name for path in summary.files if path.suffix == ".csv"} == {
        *("long.csv", "units.csv", "cells.csv", "costs.csv", "dice.csv", "iou.csv"),
        *("epochs_to_converge.csv", "throughput.csv", "pairwise.csv", "ranks.csv"),
        *("equivalence.csv", "times.csv", "ledger.csv", "doubts.csv"),
    }
    assert sorted(p.suffix for p in summary.files) == [".csv"] * 14 + [".md"] * 2 + [".svg"] * 6
    assert set(summary.files) == set(summary.changed)
    again = build(tmp_path, leaderboard=tmp_path / "leaderboard.md")
    assert (again.changed, again.removed) == ((), ())


def test_without_a_page(tmp_path: Path) -> None:
    fill(tmp_path)
    summary = build(tmp_path, leaderboard=None)
    assert not [path for path in summary.files if path.name == "leaderboard.md"]


def test_the_same_bytes_from_another_process_order_and_settings(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    fill(one)
    build(one, leaderboard=one / "leaderboard.md")
    paths = sorted((one / "records").rglob("*.json"))
    random.Random(5).shuffle(paths)
    for number, path in enumerate(paths):  # other names, other order of creation
        target = two / "records" / path.parts[-3] / path.parts[-2] / f"{999 - number}-{path.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    settings = tmp_path / "matplotlibrc"
    settings.write_text("font.size: 30\nsvg.fonttype: none\naxes.facecolor: red\n")
    run(two, PYTHONHASHSEED="123", MATPLOTLIBRC=str(settings), TZ="Asia/Tokyo")
    assert contents(one) == contents(two)


def test_no_torch_and_no_matplotlib_without_figures(tmp_path: Path) -> None:
    assert run(tmp_path) == "[]"  # no record: no figure
    fill(tmp_path)
    assert run(tmp_path) == "['matplotlib']"


def test_stale_files_are_removed_and_others_left(tmp_path: Path) -> None:
    fill(tmp_path)
    build(tmp_path, leaderboard=None)
    old = [tmp_path / "tables" / "old.csv", tmp_path / "figures" / "old.svg"]
    kept = [tmp_path / "tables" / "notes.txt", tmp_path / "other.csv"]
    for path in (*old, *kept):
        path.write_text("x")
    assert check(tmp_path, None) == [f"{path}: no record gives it" for path in sorted(old)]
    assert build(tmp_path, leaderboard=None).removed == tuple(sorted(old))
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in kept)


def test_check_names_what_differs_and_writes_nothing(tmp_path: Path) -> None:
    fill(tmp_path)
    page = tmp_path / "leaderboard.md"
    build(tmp_path, leaderboard=page)
    assert check(tmp_path, page) == []
    page.write_text(page.read_text() + "edited by hand\n")
    (tmp_path / "tables" / "iou.csv").unlink()
    before = contents(tmp_path)
    assert check(tmp_path, page) == [
        f"{tmp_path / 'tables' / 'iou.csv'}: missing",
        f"{page}: differs from what the records give",
    ]
    assert contents(tmp_path) == before


def test_check_sees_a_new_record(tmp_path: Path) -> None:
    fill(tmp_path)
    build(tmp_path, leaderboard=None)
    save(tmp_path, record(method="later", classes=("organ", "tumour"), scores=[[0.5, 0.5]]))
    named = {Path(line.split(":")[0]).name for line in check(tmp_path, None)}
    assert {"long.csv", "units.csv", "dice.csv"} <= named


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path)
    page = tmp_path / "leaderboard.md"
    page.write_text("old")

    def no_space(*args: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", no_space)
    with pytest.raises(OSError, match="no space"):
        build(tmp_path, leaderboard=page)
    assert page.read_text() == "old"
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_damaged_record_is_refused_with_its_path(tmp_path: Path) -> None:
    [path] = save(tmp_path, record())
    path.write_text(path.read_text().replace('"status": "done"', '"status": "fine"'))
    with pytest.raises(RequestError, match=rf"record {path}: status: .*; it was changed by hand"):
        build(tmp_path, leaderboard=None)
    assert not (tmp_path / "tables").exists()


def test_two_records_with_one_key_are_refused(tmp_path: Path) -> None:
    [path] = save(tmp_path, record())
    copy = path.with_name(f"copy-{path.name}")
    shutil.copy(path, copy)
    with pytest.raises(RequestError) as caught:
        build(tmp_path, leaderboard=None)
    key = record().key
    assert str(caught.value) == (f"records {copy} and {path} have the same key {key}; delete one")
