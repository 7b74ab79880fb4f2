"""`compare`, `diff` and `board claims` as a user types them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.board.factory import record, save
from tests.conftest import ROOT, Bench


@pytest.fixture
def results(tmp_path: Path) -> Path:
    level = [0.01 * p for p in range(12)]
    for method, base in (("alpha", 0.7), ("fade", 0.4)):
        for draw in range(2):
            save(tmp_path, record([[base + x] for x in level], method=method, draw=str(draw)))
    return tmp_path


def test_compare_two_methods(bench: Bench, results: Path) -> None:
    """One is called like a key would be: a method's name comes first."""
    done = bench("compare", "alpha", "fade", f"results={results}")
    assert done.code == 0, done.err
    assert "alpha is better than fade by 30.0 Dice points [+30.0, +30.0]" in done.out
    iou = bench("compare", "fade", "alpha", "score=iou", f"results={results}")
    assert "alpha is better than fade by" in iou.out
    assert "IoU points" in iou.out


def test_compare_and_diff_two_records(bench: Bench, results: Path) -> None:
    keys = [record([[0.5]], method=method, draw="1").key for method in ("alpha", "fade")]
    done = bench("compare", keys[0][:10], keys[1], f"results={results}")
    assert done.code == 0, done.err
    assert f"alpha ({keys[0][:8]}) is better than fade ({keys[1][:8]}) by 30.0" in done.out
    diff = bench("diff", keys[0], keys[1][:10], f"results={results}")
    assert diff.code == 0, diff.err
    assert "  method: alpha -> fade" in diff.out
    assert diff.out.rstrip().endswith("in one table")


def test_claims_of_the_suite(bench: Bench, results: Path) -> None:
    done = bench("board", "claims", f"results={results}")
    assert done.code == 0, done.err
    assert "samora_few_shot: NOT RUN with a published backbone" in done.out
    assert "hssl_over_scratch: NOT RUN" in done.out


def test_claims_of_a_file(bench: Bench, results: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "claims:\n  mine:\n    source: me\n    says: alpha wins\n    reading: by Dice\n"
        "    first: {method: alpha}\n    against: [{method: fade}]\n    measure: dice\n"
        "    effect: difference\n    above: 0\n    backbone: published\n"
    )
    done = bench("board", "claims", f"claims={file}", f"results={results}")
    assert done.code == 0, done.err
    assert "mine: NOT RUN with a published backbone; seen where it cannot be decided" in done.out
    assert "the claim holds here, but a nano backbone cannot decide" in done.out
    file.write_text("claims: {mine: {source: me}}\n")
    wrong = bench("board", "claims", f"claims={file}", f"results={results}")
    assert wrong.code == 2
    assert wrong.err.strip() == f"sambench: {file}: claims.mine.says: this key is missing"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compare", "alpha"], "say what to compare: two methods, or two records by their keys"),
        (["compare", "alpha", "fade", "score=dise"], "unknown score 'dise'; did you mean dice"),
        (["compare", "alpha", "fad"], "unknown method or row 'fad'; did you mean fade"),
        (["compare", "alpha", "0123abcd"], "alpha and 0123abcd: one is a record's key"),
        (["compare", "0123abcd", "0123abce"], "unknown record '0123abcd'"),
        (["diff", "0123abcd"], "say which records: diff KEY KEY"),
        (["diff", "alpha", "fade"], "'alpha' is no record key"),
    ],
)
def test_a_wrong_word_is_one_line(
    bench: Bench, results: Path, words: list[str], message: str
) -> None:
    done = bench(*words, f"results={results}")
    assert done.code == 2
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize("words", [("compare", "alpha", "fade"), ("board", "claims")])
def test_no_torch_and_no_figures(results: Path, words: tuple[str, ...]) -> None:
    code = (
        "import sys; from bench.cli import entry; entry(sys.argv[1:]); "
        "print(sorted({'torch', 'hydra', 'monai', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words, f"results={results}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
