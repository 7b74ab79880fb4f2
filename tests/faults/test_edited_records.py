"""A record that was edited by hand is refused by whoever makes something of it, by its file's name.
What only the code, the cards and the data can tell is `board verify`'s: tests/verify."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.record.agreement import disagreements
from bench.verify.arithmetic import contradictions
from tests.board.factory import record, save
from tests.faults.conftest import Sweeps

Change = Callable[[dict[str, Any]], object]
SCORES = [[0.5, "missed"], [0.75, "both"]]


def put(name: str, value: Any, *, organ: str = "organ", case: int = 0) -> Change:
    return lambda raw: raw["cases"][case]["classes"][organ].update({name: value})


EDITS: dict[str, tuple[Change, str]] = {
    "a better Dice": (put("dice", 0.95), "case p000, organ: dice is 0.95, by its counts 0.500000"),
    "a better IoU": (put("iou", 0.9), "case p000, organ: iou is 0.9, by its counts 0.333333"),
    "more hits": (put("tp", 900), "case p000, organ: dice is 0.5, by its counts 0.642857"),
    "fewer misses": (put("fn", 0), "case p000, organ: dice is 0.5, by its counts 0.666667"),
    "no Dice": (put("dice", None), "case p000, organ: dice is None, by its counts 0.500000"),
    "a missed organ that is left out": (
        put("empty", "both", organ="tumour"),
        "case p000, tumour: empty is both, by its counts missed",
    ),
    "a score for nothing": (
        put("dice", 1.0, organ="tumour", case=1),
        "case p001, tumour: both masks are empty, and it has a score",
    ),
    "a distance beyond the image": (
        put("hd95", 93.0),
        "case p000, organ: hd95 is 93.0, the whole image measures 92.69",
    ),
    "one word": (
        lambda raw: raw.update({"status": "fine"}),
        "status: Input should be 'done' or 'failed'",
    ),
    "a field of one's own": (
        lambda raw: raw.update({"note": "please"}),
        "note: Extra inputs are not permitted",
    ),
    "no number": (put("nsd", float("nan")), "cases.0.classes.organ.nsd: "),
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    others = [record(SCORES, classes=("organ", "tumour"), method=m) for m in ("beta", "gamma")]
    save(folder, record(SCORES, classes=("organ", "tumour")), *others)
    return folder


def edit(results: Path, change: Change) -> Path:
    [path] = results.glob("records/*/alpha/*.json")
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))
    return path


def test_the_records_are_sound_before(sweeps: Sweeps, results: Path) -> None:
    done = sweeps.warm("board", f"results={results}")
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("what", EDITS)
def test_the_board_refuses_it_by_name(
    results: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, one line, and nothing is made of the others either."""
    from bench.cli import entry

    change, problem = EDITS[what]
    path = edit(results, change)
    for words in (
        ["board", f"results={results}"],
        ["board", "--check", f"results={results}"],
        ["report", f"results={results}"],
        ["compare", "alpha", "beta", f"results={results}"],
    ):
        assert entry(words) == 2, words
        said = capsys.readouterr()
        [line] = said.err.splitlines()
        assert line.startswith(f"sambench: record {path}: {problem}"), line
        assert "changed by hand" in line
    assert not (results / "tables").exists()
    assert not (results / "report.html").exists()


def test_a_copied_record(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One result cannot count twice under two names."""
    from bench.cli import entry

    [path] = results.glob("records/*/alpha/*.json")
    (path.parent / "again.json").write_bytes(path.read_bytes())
    assert entry(["board", f"results={results}"]) == 2
    assert "have the same key" in capsys.readouterr().err


def test_what_was_worked_out_must_follow() -> None:
    """Times that the cases do not give, a convergence that the curve does not give."""
    fine = record([[0.5]] * 3)
    assert list(disagreements(fine)) == list(contradictions(fine)) == []
    assert fine.throughput is not None
    faster = fine.throughput.model_copy(update={"warm_seconds": 0.1})
    [problem] = contradictions(fine.model_copy(update={"throughput": faster}))
    assert problem == "throughput.warm_seconds is 0.1, its cases give 0.5"
    early = record([[0.5]] * 3, converged=2.0)
    assert list(contradictions(early)) == ["convergence is not what its curve gives"]
