"""Records are refused where they cannot come from the committed code, cards and splits."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.registry import discover
from bench.verify import Verified, verify
from bench.verify.arithmetic import contradictions
from bench.verify.committed import History
from tests.board.factory import record
from tests.conftest import ROOT, Bench

METHOD = "control_nearest"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code as it is here, committed; and before that another version of the method."""
    root = tmp_path_factory.mktemp("repository")
    for part in ("bench", "methods", "datasets"):
        shutil.copytree(
            ROOT / part,
            root / part,
            ignore=shutil.ignore_patterns("*.safetensors", "__pycache__", "tests"),
        )
    source = root / "methods" / METHOD / "method.py"
    now = source.read_text()
    git(root, "init", "-q")
    for text, said in ((now + "# as it was\n", "first"), (now, "second")):
        source.write_text(text)
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", said)
    return root


def git(root: Path, *words: str) -> str:
    names = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *names, *words], cwd=root, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def history(repository: Path) -> History:
    """Shared: every commit is looked at once."""
    return History(repository)


@pytest.fixture(scope="module")
def made(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("results")
    words = ("shots=1,2", "draw=0", "budget=steps-100", "budget.probes=2")
    done = bench("run", f"method={METHOD}", *words, f"results={results}")
    assert done.code == 0, done.err
    return results


@pytest.fixture
def results(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "results")
    return tmp_path / "results"


def path_of(results: Path, shots: str = "1") -> Path:
    [path] = (results / "records").glob(f"*/*/shots{shots}-*.json")
    return path


def edit(results: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = path_of(results)
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))


def checked(results: Path, history: History, cache: Path | None = None) -> Verified:
    keys = () if cache is None else ("phantom",)
    data = {"root": None, "cache": str(cache)}
    return verify(results, discover(), keys=keys, data=data, history=history)


def test_a_true_record_passes_with_its_key(results: Path, history: History, cache: Path) -> None:
    found = checked(results, history, cache)
    assert found == Verified(records=2, refused=(), marked=(), keys=2)


Change = Callable[[dict[str, Any]], object]


def put(*place: str | int, value: Any) -> Change:
    def change(raw: dict[str, Any]) -> None:
        inner: Any = raw
        for name in place[:-1]:
            inner = inner[name]
        inner[place[-1]] = value

    return change


CASE = ("cases", 0, "classes", "organ")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (put(*CASE, "dice", value=0.99), "organ: dice is 0.99, by its counts 0."),
        (put(*CASE, "empty", value="missed"), "organ: empty is missed, by its counts None"),
        (put("data", "test", 0, value="patient01"), "data.test and the scored cases differ in"),
        (put("cases", 0, "patient", value="patient01"), "patient patient01 is no test patient of"),
        (put("data", "support", value=["patient17"]), "its support is not the first 1 of draw 0"),
        (put("data", "support", value=["patient02"]), "test case patient02 is in its support"),
        (put("data", "split_sha256", value="0" * 64), "data.split_sha256 is not that of the com"),
        (put("data", "split", value="theirs"), "there is no split theirs of phantom"),
        (put("data", "classes", value=["organ"]), "data.classes or data.modality is not what"),
        (put("data", "fingerprint", value="0" * 64), "another copy needs another name"),
        (put("request", "draw", value="none"), "there is no draw none of split ours"),
        (put("request", "options", value={"x": 1}), "options size, thumb, x are neither the c"),
        (put("request", "budget", "steps", value=900), "budget.steps is 900, steps-100+probes=2"),
        (put("request", "budget", "name", value="mine"), "there is no budget mine"),
        (put("request", "backbone", value="nano"), "backbone nano does not go with its check"),
        (put("request", "checkpoints", value={"sam": "big"}), "there is no sam checkpoint big"),
        (put("request", "method", value="better"), "there is no method better in this repository"),
        (put("request", "dataset", value="mine"), "there is no dataset mine in this repository"),
        (put("method", "title", value="Best"), "method.title is 'Best', the card says"),
        (put("method", "block", value="method"), "method.block is method, it belongs into contr"),
        (put("method", "source_sha256", value="a" * 64), "is in no commit: commit the code, then"),
        (put("key", value="0123456789abcdef"), "by its request and key it belongs at records/"),
        (put("key", value="../../x"), "its key '../../x' is no key: 16 hexadecimal digits"),
        (put("protocol", value=99), "protocol 99 is newer than this code's"),
        (put("files", "state", value="../../secret"), "its file ../../secret leaves the results"),
        (put("adaptation", "steps", value=101), "it used 101 steps of 100, and says 0 of oversh"),
        (put("surprise", value=1), "surprise: Extra inputs are not permitted"),
        (put("status", value="failed"), "it failed without a reason"),
    ],
)
def test_what_was_changed_by_hand_is_named(
    results: Path, history: History, change: Change, problem: str
) -> None:
    edit(results, change)
    found = checked(results, history)
    mine = [line for line in found.refused if problem in line]
    assert mine, found.refused
    assert all(line.startswith("record ") for line in found.refused)


def test_a_whole_change_without_a_trace_is_found_by_the_key(
    results: Path, history: History, cache: Path
) -> None:
    """Another seed: file name, cards and scores agree with it."""
    edit(results, put("request", "seed", value=5))
    assert checked(results, history).refused == ()
    [line] = checked(results, history, cache).refused
    assert "its request has the key" in line


def test_two_records_of_one_key(results: Path, history: History) -> None:
    path = path_of(results)
    shutil.copy(path, path.with_name(f"again-{path.name}"))
    found = checked(results, history)
    assert sum("2 records have the key" in line for line in found.refused) == 2


def test_earlier_committed_code_is_marked(
    results: Path, repository: Path, history: History
) -> None:
    commit = git(repository, "rev-parse", "HEAD~1")
    earlier = history._hashes(commit)[METHOD]
    edit(results, put("method", "source_sha256", value=earlier))
    found = checked(results, history)
    assert found.refused == ()
    assert found.marked == (
        f"1 record made by an earlier version of {METHOD} (commit {commit[:10]})",
    )


def test_code_that_was_never_committed_is_refused(
    results: Path, repository: Path, tmp_path: Path
) -> None:
    """The folder here is what made the record, and no commit holds it."""
    other = tmp_path / "other"
    shutil.copytree(repository, other)
    (other / "methods" / METHOD / "method.py").write_text("# rewritten\n")
    shutil.rmtree(other / ".git")
    git(other, "init", "-q")
    git(other, "add", "-A")
    git(other, "commit", "-q", "-m", "without it")
    found = checked(results, History(other))
    assert len(found.refused) == 2
    assert all("is in no commit" in line for line in found.refused)


def test_without_git_the_folders_count(results: Path, tmp_path: Path) -> None:
    assert checked(results, History(tmp_path)).refused == ()
    edit(results, put("method", "source_sha256", value="a" * 64))
    [line] = checked(results, History(tmp_path)).refused
    assert "is not the code here, and there is no git history to look through" in line


def test_the_clock_by_hand() -> None:
    fine = record(seconds=90, pretraining_seconds=30)
    assert list(contradictions(fine)) == []
    long = record(seconds=100, pretraining_seconds=30)
    assert list(contradictions(long)) == ["it used 130 seconds of 120, and says 0 of overshoot"]


def test_empty_masks_by_hand() -> None:
    fine = record([["both"], ["missed"], ["false_positive"], [0.5]])
    assert list(contradictions(fine)) == []


def test_the_verb(bench: Bench, results: Path) -> None:
    edit(results, put(*CASE, "dice", value=0.99))
    done = bench("board", "verify", f"results={results}")
    assert done.code == 1
    assert "organ: dice is 0.99, by its counts" in done.out
    assert done.out.splitlines()[-1].startswith("2 records, 0 keys worked out again: ")
    wrong = bench("board", "verify", "keys=phantm")
    assert wrong.code == 2
    assert "unknown dataset 'phantm'; did you mean phantom?" in wrong.err
