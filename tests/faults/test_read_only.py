"""Folders that may only be read: who only reads does so; who must write says where, in a line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.models.embeddings import image_inputs
from bench.record.store import read_records
from tests.faults.conftest import Disk, Sweeps
from tests.models.embedding_toys import RECIPE, Encoder, cache_in, encoded, pictures

READ_ONLY = "Read-only file system"


def test_results_that_hold_everything(sweeps: Sweeps, disk: Disk) -> None:
    results = disk.path / "results"
    assert sweeps("method=resumes", results=results).code == 0
    page = f"leaderboard={disk.path / 'leaderboard.md'}"
    assert sweeps.warm("board", f"results={results}", page).code == 0
    [record] = read_records(results)
    disk.protect()
    done = sweeps("method=resumes", results=results)
    assert (done.code, done.err) == (0, "")
    assert "0 units to do, 1 already done" in done.out
    where = f"results={results}"
    for words in (
        ("status", "--once", where),
        ("ls", "records", where),
        ("show", record.key, where),
        ("board", "--check", where, page),
        ("report", where, f"out={disk.path.parent / 'report.html'}"),
    ):
        read = sweeps.warm(*words)
        assert (read.code, read.err) == (0, ""), (words, read)
    assert not (disk.path.parent / ".report.html").exists()


def test_results_that_need_a_record(sweeps: Sweeps, disk: Disk) -> None:
    results = disk.path / "results"
    results.mkdir()
    disk.protect()
    done = sweeps("method=resumes", results=results)
    assert done.code == 2
    [line] = done.err.splitlines()
    assert line.startswith(f"sambench: cannot write {results}/.sweeps: ")
    assert line.endswith(f"{READ_ONLY}; make room, or choose another folder")
    disk.protect(on=False)
    assert list(results.rglob("*")) == []
    assert sweeps("method=resumes", results=results).code == 0


@pytest.mark.parametrize("verb", ["board", "report"])
def test_what_is_made_of_records(sweeps: Sweeps, disk: Disk, verb: str) -> None:
    results = disk.path / "results"
    assert sweeps("method=resumes", results=results).code == 0
    disk.protect()
    done = sweeps.warm(verb, f"results={results}")
    assert done.code == 2
    [line] = done.err.splitlines()
    assert line.startswith(f"sambench: cannot write {results}/")
    assert READ_ONLY in line


def test_a_cache_that_others_filled(sweeps: Sweeps, disk: Disk) -> None:
    """Somebody prepared the data for all: to run on it takes no right to write there."""
    cache = disk.path / "cache"
    data = (*sweeps.data[:2], f"data.cache={cache}")
    assert sweeps.warm("prepare", *data).code == 0
    disk.protect()
    results = disk.path.parent / "results"
    done = sweeps("method=resumes", f"data.cache={cache}", results=results)
    assert (done.code, done.err) == (0, "")
    assert [record.status for record in read_records(results)] == ["done"]


def test_a_cache_that_lacks_something(sweeps: Sweeps, disk: Disk) -> None:
    disk.protect()
    done = sweeps.warm("prepare", *sweeps.data[:2], f"data.cache={disk.path / 'cache'}")
    assert done.code == 2
    [line] = done.err.splitlines()
    assert line.startswith(f"sambench: cannot make {disk.path}/cache/volumes/")
    assert READ_ONLY in line


def test_embeddings_stay_in_memory(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    disk.protect()
    images = pictures(3)
    embedded = cache_in(disk.path).embed(Encoder(), image_inputs(images), recipe=RECIPE)
    assert torch.equal(embedded.take(), encoded(images).half())
    [message] = caplog.messages
    assert READ_ONLY in message


def test_a_file_where_a_folder_belongs(sweeps: Sweeps, tmp_path: Path) -> None:
    (tmp_path / "results").write_text("not a folder")
    done = sweeps("method=resumes", results=tmp_path / "results")
    assert done.code == 2
    [line] = done.err.splitlines()
    assert line.startswith(f"sambench: record {tmp_path / 'results'}/")
    assert line.endswith(": Not a directory")
    assert (tmp_path / "results").read_text() == "not a folder"
