"""A disk without room, at every place where something is written: what was there stays whole, what
could not be written is named, and with room again the same command comes to the same end."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.board import build
from bench.data.prepare import prepare
from bench.data.readers.labels import write_label
from bench.data.splits import open_book
from bench.errors import RequestError
from bench.executors.sweeps import note_sweep
from bench.fetch import download
from bench.record.store import read_records
from bench.report import write_report
from bench.unit.saved import SavedPhase
from bench.unit.state import load_state, save_state
from bench.unit.trail import Trail
from tests.board.factory import record, save
from tests.data.files import Files, write_case
from tests.executors.conftest import MakeUnit, make_unit  # noqa: F401
from tests.faults.conftest import NO_ROOM, Disk, Sweeps, litter
from tests.faults.killing import outcomes
from tests.fetch.conftest import Site, site  # noqa: F401
from tests.models.embedding_toys import RECIPE, Encoder, cache_in, encoded, files, pictures

STATE = {"weights": torch.zeros(40_000)}


def write_records(place: Path) -> None:
    save(place, record([[0.5]] * 100))


def write_board(place: Path) -> None:
    """Its tables and figures; records are elsewhere in a user's life, here they came before."""
    build(place, leaderboard=place / "leaderboard.md")


def write_page(place: Path) -> None:
    write_report(place, place / "report.html", cards={})


def write_store(place: Path) -> None:
    write_case(place.parent / "copy", "a")
    prepare(Files(place.parent / "copy"), name="x", folder=place / "store", classes=["organ"])


def write_split(place: Path) -> None:
    open_book(place / "split.json", "x", [f"p{n:03d}" for n in range(500)], {})


def write_prediction(place: Path) -> None:
    image = place.parent / "image.npy"
    np.save(image, np.zeros((9, 50, 50), np.float32))
    noise = np.random.default_rng(0).integers(0, 2, (9, 50, 50)).astype(np.uint8)
    write_label(place / "label.npy", noise, like=image)


def write_saved(place: Path) -> None:
    parts = place.parent / "parts.safetensors"
    save_state(parts, STATE)
    SavedPhase(place / "k", {}).write({"clock": 1}, parts)


SITES: dict[str, tuple[Callable[[Path], object], str]] = {
    "record": (write_records, "records/toy/alpha/"),
    "kept state": (lambda place: save_state(place / "states" / "k.safetensors", STATE), "states/k"),
    "saved state": (write_saved, "k.safetensors"),
    "board": (write_board, "tables/"),
    "report": (write_page, "report.html"),
    "prepared volumes": (write_store, "store(-labels)?/a"),
    "drawn split": (write_split, "split.json"),
    "label map": (write_prediction, "label.npy"),
}


@pytest.mark.parametrize("what", SITES)
@pytest.mark.parametrize("pages", [0, 1, 2])
def test_a_write_that_finds_no_room(disk: Disk, what: str, pages: int) -> None:
    """Refused in a line that names the file; nothing half-written; with room it works."""
    work, named = SITES[what]
    if what in ("board", "report"):
        write_records(disk.path)
    disk.leave(pages)
    before = sorted(disk.path.rglob("*"))
    with pytest.raises(RequestError) as caught:
        work(disk.path)
    line = str(caught.value)
    assert re.match(rf"cannot write .*{re.escape(str(disk.path))}/{named}", line), line
    assert NO_ROOM in line or "requested and" in line  # numpy's words for the same
    assert litter(disk.path) == []
    new = {path for path in disk.path.rglob("*") if path.is_file()} - set(before)
    assert {path.suffix for path in new} <= {".csv", ".md", ".svg", ".lock"}, "whole ones alone"
    disk.clear()
    work(disk.path)


def test_what_was_there_stays(disk: Disk) -> None:
    """The old state, the old record and the old page outlive a write that fails."""
    state = disk.path / "k.safetensors"
    save_state(state, {"weights": torch.ones(3)})
    [path] = save(disk.path, record([[0.25]]))
    before = path.read_bytes()
    disk.leave(1)
    with pytest.raises(RequestError, match=NO_ROOM):
        save_state(state, STATE)
    with pytest.raises(RequestError, match=NO_ROOM):
        save(disk.path, record([[0.25]] * 100))
    assert torch.equal(load_state(state)["weights"], torch.ones(3))
    assert path.read_bytes() == before
    assert len(list(read_records(disk.path))) == 1


def test_what_a_sweep_notes(disk: Disk, make_unit: MakeUnit) -> None:  # noqa: F811
    unit = make_unit().model_copy(update={"results": str(disk.path)})
    disk.leave(0)
    with pytest.raises(RequestError, match=rf"cannot write .*/\.sweeps/sweep-.*: {NO_ROOM}"):
        note_sweep([unit], command="run", executor="local")
    with pytest.raises(RequestError, match=rf"cannot write .*/trail\.json: {NO_ROOM}"):
        Trail(unit).begin()
    assert litter(disk.path) == []
    assert not list(disk.path.rglob("*.json"))


@pytest.mark.parametrize("pages", [0, 1, 2])
def test_embeddings_stay_in_memory(
    disk: Disk, pages: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Right numbers, a warning, and no file that says less than it should."""
    from bench.models.embeddings import image_inputs

    disk.leave(pages)
    images = pictures(4)
    embedded = cache_in(disk.path).embed(Encoder(), image_inputs(images), recipe=RECIPE, batch=1)
    assert torch.equal(embedded.take(), encoded(images).half())
    (message,) = caplog.messages
    assert message.startswith("cannot keep embeddings in ")
    assert NO_ROOM in message
    assert len(files(disk.path)) == pages
    assert litter(disk.path) == []


def test_a_download_keeps_its_part(
    disk: Disk,
    site: Site,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a stated length nobody can know before. With room it goes on where it was."""
    monkeypatch.setattr("bench.fetch.size.SPARE", 0)  # the whole disk is smaller than that
    site.length = "absent"
    remote = site.remote(bytes=None)
    disk.leave(20)
    with pytest.raises(RequestError) as caught:
        download(remote, disk.path, attempts=1, backoff=0)
    assert str(caught.value).startswith(f"cannot keep data.bin in {disk.path}: ")
    assert NO_ROOM in str(caught.value)
    assert not (disk.path / "data.bin").exists()
    kept = (disk.path / "data.bin.part").stat().st_size
    disk.clear()
    assert download(remote, disk.path, backoff=0).read_bytes() == site.body
    assert site.asked[-1]["range"] == f"bytes={kept}-"
    assert not list(disk.path.glob("*.part*"))


@pytest.fixture(scope="session")
def expected(sweeps: Sweeps, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    results = tmp_path_factory.mktemp("expected")
    assert sweeps(*UNIT, results=results).code == 0
    return outcomes(results)


UNIT = ("method=pretrains", "keep=predictions,state")


def fill_up(sweeps: Sweeps, disk: Disk, expected: dict[str, Any], pages: int) -> str:
    """A whole sweep on a disk with so many pages; what it said. Then the same with room."""
    results = disk.path / "results"
    results.mkdir()
    disk.leave(pages)
    done = sweeps(*UNIT, results=results)
    said = done.out + done.err
    if done.code == 2:
        assert re.search(rf"^sambench: cannot write {disk.path}.*{NO_ROOM}", done.err, re.M), said
    elif done.code == 1:
        assert re.search(rf"^failed: pretrains .*{NO_ROOM}", done.out, re.M), said
    else:
        assert done.code == 0, said
        assert outcomes(results) == expected
    assert [path for path in results.rglob("*.json") if not path.read_bytes()] == []
    disk.clear()
    again = sweeps(*UNIT, "rerun=failed", results=results)
    assert again.code == 0, again
    assert outcomes(results) == expected
    assert litter(results) == []
    return said


@pytest.mark.parametrize("pages", [0, 2, 5])
def test_a_sweep_on_a_full_disk(
    sweeps: Sweeps, disk: Disk, expected: dict[str, Any], pages: int
) -> None:
    assert NO_ROOM in fill_up(sweeps, disk, expected, pages)


@pytest.mark.long
@pytest.mark.parametrize("pages", range(24))
def test_a_sweep_on_a_disk_that_fills_up_at_any_write(
    sweeps: Sweeps, disk: Disk, expected: dict[str, Any], pages: int
) -> None:
    print(fill_up(sweeps, disk, expected, pages))


def test_the_temporary_folder_is_full(sweeps: Sweeps, disk: Disk, tmp_path: Path) -> None:
    """The method's own fault, and its own reason; its gigabytes go with it."""
    words = ("method=unruly", "method.how=fills,nothing")
    done = sweeps(*words, results=tmp_path / "results", environment={"TMPDIR": str(disk.path)})
    assert done.code == 1
    reasons = {r.request.options["how"]: r.reason for r in read_records(tmp_path / "results")}
    assert reasons["nothing"] is None
    assert reasons["fills"] == f"OSError: [Errno 28] {NO_ROOM}"
    assert list(disk.path.iterdir()) == [], "nothing of it stays"
