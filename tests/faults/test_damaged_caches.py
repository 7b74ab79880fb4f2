"""A file of a cache that was cut, flipped or overwritten: it is made again, and the numbers are
those of an undamaged one. Embeddings are in tests/models/test_embeddings_damage.py, a unit's saved
state in tests/unit/test_savepoint.py, cut volumes in tests/data."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.data.store import labels_folder
from bench.errors import RequestError
from bench.record.store import read_records
from bench.unit.state import load_state, save_state
from tests.data.conftest import make, root  # noqa: F401
from tests.data.files import reads
from tests.faults.conftest import Sweeps
from tests.faults.killing import outcomes

Damage = Callable[[bytes], bytes]

DAMAGES: dict[str, Damage] = {
    "empty": lambda raw: b"",
    "cut": lambda raw: raw[: len(raw) // 2],
    "a byte short": lambda raw: raw[:-1],
    "a bit of a value": lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]),
    "a bit of the head": lambda raw: bytes([raw[0] ^ 4]) + raw[1:],
    "zeros": lambda raw: bytes(len(raw)),
    "garbage": lambda raw: np.random.default_rng(0).bytes(len(raw)),
    "another kind of file": lambda raw: b"<html>not found</html>",
}


def strike(path: Path, damage: str) -> None:
    path.write_bytes(DAMAGES[damage](path.read_bytes()))


@pytest.mark.parametrize("name", ["image.npy", "label.npy", "case.json"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_prepared_volume(
    make: Callable[..., object],  # noqa: F811
    root: Path,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    damage: str,
) -> None:
    """One case is read again, and the store is what it was, bit by bit."""
    folder = tmp_path / "stores" / "la2018"
    make()
    trees = (folder, labels_folder(folder))
    before = {path: path.read_bytes() for tree in trees for path in tree.rglob("*.npy")}
    assert len(before) == 8
    assert reads(root) == "abcd"
    make()
    assert reads(root) == ""
    strike((labels_folder(folder) if name == "label.npy" else folder) / "c" / name, damage)
    store = make()
    assert reads(root) == "c"
    assert {path: path.read_bytes() for tree in trees for path in tree.rglob("*.npy")} == before
    assert store.manifest.fingerprint  # type: ignore[attr-defined]
    if name != "case.json" and damage in ("a bit of a value", "zeros", "garbage"):
        assert "case c: its voxels in " in capsys.readouterr().err
    make()
    assert reads(root) == "", "and it is whole now"


def test_voxels_are_read_once_a_change(
    make: Callable[..., object],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was looked at is remembered; without the note, or with a damaged one, it is again."""
    from bench.data import voxels

    make()
    seen: list[int] = []
    hashed = voxels.voxel_hash

    def counted(*arguments: object) -> str:
        seen.append(1)
        return hashed(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(voxels, "voxel_hash", counted)
    make()
    assert len(seen) == 4
    make()
    assert len(seen) == 4
    note = tmp_path / "stores" / "la2018-checked.json"
    for content in (b"", b"[1]", b"{}"):
        note.write_bytes(content)
        seen.clear()
        make()
        assert len(seen) == 4, content


def test_every_flipped_bit_of_a_state_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "k.safetensors"
    save_state(path, {"w": torch.arange(5.0), "n": np.arange(3), "empty": torch.zeros(0)})
    raw = path.read_bytes()
    for place in range(len(raw)):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 1 << place % 8]) + raw[place + 1 :])
        with pytest.raises(RequestError, match=r"k\.safetensors: not a readable state: "):
            load_state(path)
    path.write_bytes(raw)
    assert torch.equal(load_state(path)["w"], torch.arange(5.0))


def test_a_state_from_before_there_were_checksums(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "old.safetensors"
    save_file({"w": torch.ones(2), "n": torch.ones(1)}, path, metadata={"arrays": '["n"]'})
    found = load_state(path)
    assert isinstance(found["n"], np.ndarray)
    assert torch.equal(found["w"], torch.ones(2))


@pytest.fixture(scope="module")
def pretrained(sweeps: Sweeps, tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("pretrained")
    assert sweeps("method=pretrains", "keep=predictions,state", results=results).code == 0
    return results


@pytest.mark.parametrize("suffix", [".safetensors", ".json"])
@pytest.mark.parametrize("damage", ["cut", "a bit of a value", "garbage"])
def test_a_stored_pretraining(
    sweeps: Sweeps, pretrained: Path, tmp_path: Path, suffix: str, damage: str
) -> None:
    """It is done again, by the same rules, and the unit has the same numbers."""
    results = tmp_path / "results"
    shutil.copytree(pretrained, results)
    expected = outcomes(results)
    [path] = (results / "pretrained").glob(f"*{suffix}")
    before = {}
    if suffix == ".safetensors":  # copies: what is loaded is a view of the file
        before = {name: np.array(value) for name, value in load_state(path).items()}
    strike(path, "cut" if suffix == ".json" and damage == "a bit of a value" else damage)
    done = sweeps("method=pretrains", "keep=predictions,state", "rerun=all", results=results)
    assert done.code == 0, done
    assert outcomes(results) == expected
    [record] = read_records(results)
    assert record.pretraining is not None
    assert not record.pretraining.reused
    [log] = results.glob("logs/*.log")
    assert "the stored pre-training can't be used: " in log.read_text()
    assert log.read_text().rstrip().endswith("; it is done again")
    for name, value in before.items():
        assert np.array_equal(load_state(path)[name], value)


@pytest.mark.parametrize("content", [b"", b"[]"])
def test_a_trail(sweeps: Sweeps, tmp_path: Path, content: bytes) -> None:
    """What earlier starts left is as good as nothing: the unit begins anew, and `status` works."""
    results = tmp_path / "results"
    assert sweeps("method=resumes", results=results).code == 0
    expected = [record.cases for record in read_records(results)]
    [record] = read_records(results)
    [path] = results.glob("records/*/*/*.json")
    path.unlink()
    trail = results / ".units" / record.key / "trail.json"
    trail.parent.mkdir(parents=True)
    trail.write_bytes(content)
    seen = sweeps.warm("status", "--once", f"results={results}")
    assert (seen.code, seen.err) == (0, "")
    assert "1 stopped" in seen.out
    assert sweeps("method=resumes", results=results).code == 0
    [again] = read_records(results)
    assert [case.classes for case in again.cases] == [case.classes for case in expected[0]]
    assert again.interruptions == []
    assert not trail.exists()


def test_a_sweep_s_note(sweeps: Sweeps, tmp_path: Path) -> None:
    results = tmp_path / "results"
    assert sweeps("method=resumes", results=results).code == 0
    [note] = results.glob(".sweeps/sweep-*.json")
    for content in (b"", b'{"units": 3}'):
        note.write_bytes(content)
        seen = sweeps.warm("status", "--once", f"results={results}")
        assert seen.code == 2
        assert seen.err == (
            f"sambench: {note} is damaged; delete it: the same `run` command writes it again\n"
        )
    assert sweeps("method=resumes", "rerun=all", results=results).code == 0
    assert sweeps.warm("status", "--once", f"results={results}").code == 0
