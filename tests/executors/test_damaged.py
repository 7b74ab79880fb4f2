"""Damaged files of a results folder: one line that names the file and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import RequestError
from bench.executors.slurm import batches
from bench.executors.slurm.batches import Array, Batch, last_output, places
from bench.executors.slurm.expected import COLD, START, Expected, expectations
from bench.executors.survey import survey
from bench.executors.sweeps import FOLDER, note_sweep
from bench.record import whole as whole_file
from bench.unit.trail import path_of

from .conftest import MakeUnit
from .test_expected import record

ARRAY = Array("sambench-ab12-0", "all", (("k1", "k2"), ("k3",)), "12")


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{", "null", "3", '{"arrays": 3}', '{"arrays": [3]}', "[" * 100_000),
        '{"arrays": [{"name": 3, "stage": "all", "keys": [], "job": null}]}',
        '{"arrays": [{"name": "a", "stage": "all", "keys": [[1]], "job": null}]}',
        '{"arrays": [], "starts": 3}',
    ],
)
def test_a_submission(tmp_path: Path, content: str) -> None:
    file = tmp_path / FOLDER / "slurm-ab12" / "batch.json"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    for look in (lambda: places(tmp_path), lambda: last_output(tmp_path, "k")):
        with pytest.raises(RequestError) as caught:
            look()
        assert str(caught.value) == (
            f"{file} can't be read: when no job sambench-ab12-* is left (squeue --me), delete "
            f"{file.parent}; the same `run` command submits again what has no record"
        )


def test_status_shows_the_rest(make_unit: MakeUnit, tmp_path: Path) -> None:
    note_sweep([make_unit(1)], command="c", executor="slurm")
    file = tmp_path / FOLDER / "slurm-ab12" / "batch.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    found = survey(tmp_path)
    assert found.counts == {"not started": 1}
    assert found.note.startswith(f"jobs that wait are not seen: {file} can't be read: ")


def test_a_whole_one_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is on the disk before anything is submitted."""
    synced: list[str] = []
    monkeypatch.setattr(whole_file, "_sync", lambda path: synced.append(path.name))
    batch = Batch(tmp_path / FOLDER / "slurm-ab12", (ARRAY,), {"k1": "2, noon"})
    batch.write()
    assert [name for name in synced if "batch.json" in name]
    assert synced[-1] == "slurm-ab12"
    assert list(batches.read_batches(tmp_path)) == [batch]


def test_one_of_an_earlier_version(tmp_path: Path) -> None:
    file = tmp_path / FOLDER / "slurm-ab12" / "batch.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"arrays": [{"name": "a", "stage": "all", "keys": [["k"]], "job": "1"}]}')
    array = Array("a", "all", (("k",),), "1")
    assert list(batches.read_batches(tmp_path)) == [Batch(file.parent, (array,))]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"machine": {}}', b"\xff"])
def test_records_that_say_how_long_it_takes(make_unit: MakeUnit, content: bytes) -> None:
    record(make_unit(1), 10.0)
    record(make_unit(2), 9999.0)
    path_of(make_unit(2)).write_bytes(content)
    (found,) = expectations([make_unit(5)]).values()
    assert found == Expected(START + 10.0, COLD + 2 * 10.0)
