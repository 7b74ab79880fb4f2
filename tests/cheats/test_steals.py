"""Whoever looks for the labels finds none, and predicts no better than one who never looked; and
what is not prevented is known."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from bench.record.schema import Record
from bench.registry import ROOT
from tests.cheats.conftest import Cheats, dice, records_of, scores
from tests.cheats.fates import STEALS

ALONE = ("environment", "harness", "link", "records", "udp", "unix_socket", "shared_memory")
"""What `steals_everything` does not try."""
Found = dict[str, Record]


@pytest.fixture(scope="module")
def found(cheats: Cheats, keeper: None, left_behind: Path) -> Found:
    names = [f"steals_{name}" for name in ("nothing", "everything", *ALONE)]
    done = cheats.run(*names, results=left_behind)
    assert f"{len(names) - 1} of {len(names)} units done" in done.out
    time.sleep(0.3)  # for whoever waited for its record
    return records_of(left_behind)


def held(found: Found, name: str) -> None:
    """Against its fate."""
    honest, record, fate = found["steals_nothing"], found[f"steals_{name}"], STEALS[name]
    assert 0.7 < dice(honest) < 0.9
    if fate.kind == "guess":
        assert scores(record) == scores(honest), record.reason
    elif fate.kind == "free":
        assert dice(record) == 1.0, "it is prevented now: docs/cheating.md must say so"
    else:
        assert record.status == "failed"
        assert fate.matches(record.reason), record.reason
        assert record.cases == []


@pytest.mark.parametrize("name", ["everything", *ALONE])
def test_it_comes_to_its_fate(found: Found, name: str) -> None:
    held(found, name)


def test_labels_can_be_stolen_where_nothing_keeps_from_it(found: Found) -> None:
    """The bait is there: a method with a right to the labels has Dice 1, and all were confined."""
    assert dice(found["steals_leaves"]) == 1.0
    done = [record for record in found.values() if record.status == "done"]
    isolations = {record.harness.isolation for record in done if record.harness}
    assert isolations == {"landlock"}


def test_nothing_of_them_is_left(found: Found, left_behind: Path, cheats: Cheats) -> None:
    """Neither a process that waits for its record, nor a file in the checkout or the cache."""
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or [])
        assert "bench.worker" not in words or str(left_behind) not in words, words
    assert not list(ROOT.glob("sitecustomize.py"))
    kept = {path.name for path in (cheats.cache / "embeddings").rglob("*.safetensors")}
    assert kept, "what steals_leaves had as its embeddings"


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(set(STEALS) - {"everything", *ALONE}))
def test_each_thief_alone(cheats: Cheats, keeper: None, left_behind: Path, name: str) -> None:
    cheats.run(f"steals_{name}", results=left_behind)
    found = records_of(left_behind)
    if "steals_nothing" not in found:
        cheats.run("steals_nothing", results=left_behind)
    held(records_of(left_behind), name)
