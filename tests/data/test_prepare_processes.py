"""Preparing by several processes, and by one that is killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.data.store import labels_folder, open_store
from bench.errors import RequestError
from tests.data.files import reads, write_case

ROOT = Path(__file__).resolve().parents[2]

CHILD = """
import os, signal, sys, time
from pathlib import Path
from bench.data.prepare import prepare
from tests.data.files import Files

root, folder, die_at, pause = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]

def before(case):
    time.sleep(float(pause))
    if case == die_at:
        os.kill(os.getpid(), signal.SIGKILL)

exec(sys.argv[5])
store = prepare(Files(root, before=before), name="x", folder=folder, classes=["organ"],
                workers=1, progress=True)
print(store.manifest.fingerprint)
"""


KILL = """
import itertools
import numpy as np
holder, calls = {holder}, itertools.count(1)
whole = holder.{name}

def killed(*arguments, **named):
    if next(calls) == {count}:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(*arguments, **named)

holder.{name} = killed
"""


def child(
    root: Path, folder: Path, *, die_at: str = "-", pause: float = 0, before_work: str = ""
) -> subprocess.Popen:
    command = [sys.executable, "-c", CHILD, str(root), str(folder), die_at, str(pause), before_work]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)


def test_killed_in_the_middle_it_goes_on_where_it_was(make, root, tmp_path) -> None:
    folder = tmp_path / "store"
    assert child(root, folder, die_at="c").wait() == -9
    with pytest.raises(RequestError, match="holds no finished store; run `prepare`"):
        open_store(folder)
    half = folder / ".c.1.tmp"
    half.mkdir()
    (half / "image.npy").write_bytes(b"half")
    (labels_folder(folder) / ".c.1.tmp").write_bytes(b"half")
    assert reads(root) == "ab"
    store = make(name="x", folder=folder, layouts=None)
    assert reads(root) == "cd"
    assert len(store.manifest.cases) == 4
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["a", "b", "c", "d", "manifest.json"]
    assert sorted(path.name for path in labels_folder(folder).iterdir()) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("call", "count"),
    [("np.save", 1), ("np.save", 2), *(("os.replace", count) for count in (2, 3, 4, 5))],
)
def test_killed_at_every_write_of_a_case(make, root, tmp_path, call, count) -> None:
    """Before the label, the image, and what takes its place: the label, case.json, the old case,
    the new one (the first replaced file is the note of voxels). The sources' own label stands
    there in the end, and nothing else."""
    folder = tmp_path / "store"
    store = make(name="x", folder=folder, layouts=None)
    write_case(root, "c", seed=1)
    holder, _, name = call.partition(".")
    process = child(root, folder, before_work=KILL.format(holder=holder, name=name, count=count))
    assert process.wait() == -9, process.communicate()
    with pytest.raises(RequestError, match="holds no finished store"):
        open_store(folder)
    reads(root)
    new = make(name="x", folder=folder, layouts=None)
    assert reads(root) == "c"
    assert new.manifest.fingerprint != store.manifest.fingerprint
    assert np.array_equal(np.load(new.label_file("c")), np.load(root / "c-label.npy"))
    assert open_store(folder) == new
    assert [path.name for path in folder.rglob(".*")] == []
    assert [path.name for path in labels_folder(folder).rglob(".*")] == []


def test_a_repair_that_is_killed_leaves_no_store_behind(make, root, tmp_path) -> None:
    """From the first case that is replaced on; before that the old store is still true."""
    folder = tmp_path / "store"
    store = make(name="x", folder=folder, layouts=None)
    for case in "cd":
        write_case(root, case, seed=1)
    assert child(root, folder, die_at="c").wait() == -9
    assert open_store(folder) == store
    assert child(root, folder, die_at="d").wait() == -9
    with pytest.raises(RequestError, match="holds no finished store"):
        open_store(folder)


def test_two_processes_convert_every_case_once(root, tmp_path) -> None:
    folder = tmp_path / "store"
    both = [child(root, folder, pause=0.3) for _ in range(2)]
    answers, said = zip(*(process.communicate(timeout=60) for process in both), strict=True)
    assert [process.returncode for process in both] == [0, 0], said
    assert answers[0] == answers[1] != ""
    assert "".join(said).count("converting x: 4 cases") == 1
    assert reads(root) == "abcd"
