"""Two at once that write the same: one whole result, and nobody fails. Downloads, prepared volumes
and embeddings have such tests where they live."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from bench.data.splits import load_book, open_book
from bench.record.store import read_record, read_records, write_record
from bench.unit.state import load_state, save_state
from tests.board.factory import record, save
from tests.faults.conftest import Sweeps, litter
from tests.faults.killing import outcomes


def at_once(*works: Callable[[], object]) -> None:
    """All in this process: as containers that share a folder, they have one process number."""
    problems: list[BaseException] = []
    begin = threading.Barrier(len(works))

    def guarded(work: Callable[[], object]) -> None:
        try:
            begin.wait()
            work()
        except BaseException as error:  # the thread's own: it would only be printed
            problems.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_one_record(tmp_path: Path) -> None:
    """A reader meanwhile sees one or the other, never a part."""
    versions = [record([[0.25]] * 40), record([[0.5]] * 40, key=record([[0.25]] * 40).key)]
    [path] = save(tmp_path, versions[0])
    seen = []

    def write(which: int) -> Callable[[], None]:
        return lambda: [write_record(path, versions[which]) for _ in range(60)] and None

    at_once(write(0), write(1), lambda: seen.extend(read_record(path) for _ in range(60)))
    assert len(seen) == 60
    assert all(found in versions for found in seen)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_one_state(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "k.safetensors"

    def write(value: float) -> Callable[[], None]:
        return lambda: (
            [save_state(path, {"w": torch.full((20_000,), value)}) for _ in range(40)] and None
        )

    at_once(write(1.0), write(2.0))
    values = load_state(path)["w"].unique().tolist()
    assert values in ([1.0], [2.0])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_one_drawn_split(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    patients = [f"p{number:02d}" for number in range(30)]
    found = []
    at_once(*[lambda: found.append(open_book(path, "x", patients, {})) for _ in range(4)])
    assert all(book == load_book(path, "x") for book in found)
    assert [file.name for file in tmp_path.iterdir()] == ["split.json"]


def test_one_board(sweeps: Sweeps, tmp_path: Path) -> None:
    results = tmp_path / "results"
    save(results, *[record([[0.5], [0.7]], method=name) for name in ("alpha", "beta")])
    (results / "tables").mkdir()
    for number in range(50):
        (results / "tables" / f"stale{number}.csv").write_text("of nobody")
    words = ("board", f"results={results}")
    both = [sweeps.warm.start(*words) for _ in range(3)]
    outcome = [running.outcome() for running in both]
    assert [done.code for done in outcome] == [0, 0, 0], outcome
    assert sweeps.warm("board", "--check", f"results={results}").code == 0
    assert litter(results) == []


def test_two_sweeps_with_one_pretraining(sweeps: Sweeps, tmp_path: Path) -> None:
    """Every unit is done once, and so is what they share."""
    words = ("method=pretrains", "draw=0,1,2", "keep=predictions,state", "executor.jobs=2")
    assert sweeps(*words, results=tmp_path / "alone").code == 0
    results = tmp_path / "results"
    both = [sweeps.start(*words, results=results) for _ in range(2)]
    outcome = [running.outcome() for running in both]
    assert [done.code for done in outcome] == [0, 0], outcome
    found = list(read_records(results))
    assert len(found) == 3
    reused = [record.pretraining.reused for record in found if record.pretraining is not None]
    assert sorted(reused) == [False, True, True]
    done = [line for said in outcome for line in said.out.splitlines() if " done   pre" in line]
    assert len(done) == 3, "each by one of the two"
    assert outcomes(results) == outcomes(tmp_path / "alone")
    assert litter(results) == []
