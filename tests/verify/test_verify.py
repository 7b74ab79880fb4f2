"""Records are refused where they cannot come from the committed code, cards and splits."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.record.schema import Record
from bench.registry import discover
from bench.verify import Verified, verify
from bench.verify.account import account, isolation
from bench.verify.arithmetic import contradictions
from bench.verify.committed import History
from bench.verify.finding import CHECKS
from bench.verify.together import together
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
    assert (found.records, found.refused, found.keys) == (2, (), 2)
    fine = [check for check in CHECKS if all(one.state(check) == "fine" for one in found.looked)]
    assert set(CHECKS) - set(fine) <= {"isolation", "account"}


Change = Callable[[dict[str, Any]], object]


def put(*place: str | int, value: Any) -> Change:
    def change(raw: dict[str, Any]) -> None:
        inner: Any = raw
        for name in place[:-1]:
            inner = inner[name]
        inner[place[-1]] = value

    return change


POOL = [
    {
        "dataset": "promise12",
        "name": "promise12",
        "fingerprint": "f" * 64,
        "split_sha256": "0" * 64,
        "cases": 3,
    }
]
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
        (put("machine", "threads", value=64), "machine.fingerprint is"),
        (put("adaptation", "overshoot_steps", value=3), "steps of 100, and says 3 of overshoot"),
        (put("adaptation", "seconds", value=1e6), "the method's own work"),
        (put("adaptation", "ended", value="budget"), "by the budget, and the budget is not spent"),
        (put("harness", "wall_seconds", value=1e6), "overhead_seconds is"),
        (put("harness", "overhead_seconds", value=1e6), "wall time less method and scoring is"),
        (put("harness", "probe_seconds", value=1e6), "its probes took 1e+06 s of"),
        (put("data", "pools", value=POOL), "split_sha256 of promise12 is not that of a committed"),
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


def curve(*seconds: float) -> list[dict[str, Any]]:
    return [
        {
            "epochs": 1.0,
            "steps": 1,
            "samples": 8,
            "seconds": at,
            "loss": None,
            "dice": 0.5,
            "classes": {"organ": 0.5},
        }
        for at in seconds
    ]


def test_seconds_that_were_made_fewer() -> None:
    """A probe was later than the adaptation's end, or than the probe after it."""
    fast = list(contradictions(record(seconds=20, curve=curve(10, 30))))
    assert "its curve goes to 30 seconds, its adaptation to 20" in fast
    back = list(contradictions(record(seconds=100, curve=curve(30, 10))))
    assert "its curve goes back from 30.0 seconds" in back


def with_harness(**facts: Any) -> Record:
    made = record(seconds=100)
    harness = {
        "wall_seconds": 130.0,
        "method_seconds": 110.0,
        "probe_seconds": 5.0,
        "scoring_seconds": 5.0,
        "overhead_seconds": 15.0,
        **facts,
    }
    return Record.model_validate({**made.model_dump(), "harness": harness})


SOUND = {"isolation": "landlock", "worker_seconds": 99.0, "cpu_seconds": 150.0}


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({}, None),
        ({"worker_seconds": 94.6}, None),
        ({"worker_seconds": 94.0}, "its process counted 94 s of adaptation, the harness 100 s"),
        ({"worker_seconds": 106.0}, "its process counted 106 s of adaptation, the harness 100 s"),
        ({"background_cpu_seconds": 5.4}, None),
        ({"background_cpu_seconds": 6.0}, "used 6 s of CPU while the budget's clock stood"),
        ({"background_cpu_seconds": 4.0, "cpu_seconds": 3.0}, "4 are more than cpu_seconds 3"),
        ({"cpu_seconds": 300.0}, "300 s of CPU in 130 s on 2 cores are not possible"),
    ],
)
def test_the_account_by_hand(facts: dict[str, Any], problem: str | None) -> None:
    found = [finding.text for finding in account(with_harness(**{**SOUND, **facts}))]
    assert found == [] if problem is None else problem in found[0]


def test_an_old_record_says_nothing_of_isolation_and_account() -> None:
    for check in (isolation, account):
        [finding] = check(with_harness())
        assert finding.state == "not checked"
        assert finding.text == "its record is of before this was kept"
    assert list(isolation(with_harness(**SOUND))) == []


def test_isolation_none_is_marked(results: Path, history: History) -> None:
    edit(results, put("harness", "isolation", value="none"))
    found = checked(results, history)
    assert found.refused == ()
    assert "1 record made with isolation none: the method could open test labels" in found.marked
    assert [one.state("isolation") for one in found.looked].count("marked") == 1


def test_draws_that_are_not_nested() -> None:
    def drawn(method: str, *support: str) -> Record:
        made = record(method=method, shots=str(len(support)))
        data = made.data.model_copy(update={"support": list(support)})
        return made.model_copy(update={"data": data})

    records = [drawn("a", "p1"), drawn("a", "p1", "p2"), drawn("b", "p2", "p1"), drawn("b", "p3")]
    found = together([(Path(str(number)), one) for number, one in enumerate(records)])
    assert {str(path): [f.text for f in findings] for path, findings in found.items()} == {
        "3": ["its support of 1 is not nested with the 2 volumes of other records of draw 0"]
    }


def unlooked(found: Verified, check: str) -> set[str]:
    """Why the check did not look at a record."""
    every = [finding for one in found.looked for finding in one.of("not checked")]
    return {finding.text for finding in every if finding.check == check}


def test_what_the_data_tell_is_said_to_be_open(
    results: Path, history: History, tmp_path: Path
) -> None:
    """Neither without asking nor where there is no copy is a record refused for it."""
    [reason] = unlooked(checked(results, history), "key")
    assert reason == "keys=phantom was not asked for, and only the data tell"
    data = {"root": str(tmp_path / "nowhere"), "cache": str(tmp_path)}
    found = verify(results, discover(), keys=("phantom",), data=data, history=history)
    [reason] = unlooked(found, "key")
    assert reason.startswith("without its data or weights: phantom: there is no folder ")
    assert (found.refused, found.keys) == ((), 0)


def test_what_was_looked_at_is_listed(bench: Bench, results: Path) -> None:
    edit(results, put(*CASE, "dice", value=0.99))
    done = bench("board", "verify", f"results={results}")
    bad, good, *_ = done.out.splitlines()
    assert bad.startswith("phantom, 1 record: PROBLEM: scores; fine: place, cases, clock,")
    assert good.startswith("phantom, 1 record: fine: place, scores, cases, clock,")
    assert good.endswith(" key")
    assert "key of 2 records: keys=phantom was not asked for" in done.out
    listed = bench("board", "verify", "--json", f"results={results}")
    rows = json.loads(listed.out)
    assert listed.code == 1
    assert sorted(row["scores"] for row in rows) == ["fine", "problem"]
    assert {row["key"] for row in rows} == {"not checked"}
    assert all(row["file"].endswith(f"{row['record']}.json") for row in rows)
    table = bench("board", "verify", "--csv", f"results={results}")
    [wrong] = [row for row in csv.DictReader(table.out.splitlines()) if row["scores"] != "fine"]
    assert "scores: case " in wrong["findings"]
    other = bench("board", "--json")
    assert other.code == 2
    assert "--json: only `board verify` lists records" in other.err
