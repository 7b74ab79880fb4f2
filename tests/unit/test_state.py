"""A state on the disk: what comes back is what went in, bit by bit and kind by kind."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.errors import RequestError
from bench.unit import state as state_module
from bench.unit.state import load_state, save_state, snapshot

torch.manual_seed(0)
TENSORS = {
    "float32": torch.randn(3, 4),
    "float64": torch.randn(2, dtype=torch.float64),
    "float16": torch.randn(5).half(),
    "bfloat16": torch.randn(5).bfloat16(),
    "bool": torch.tensor([True, False, True]),
    "uint8": torch.arange(256).to(torch.uint8),
    "int64": torch.tensor([-(2**62), 2**62]),
    "scalar": torch.tensor(3.5),
    "empty": torch.zeros(0, 7),
    "infinite": torch.tensor([float("inf"), -0.0]),
    "parameter": torch.nn.Parameter(torch.randn(2, 2)),
    "transposed": torch.arange(6.0).view(2, 3).T,
    "strided": torch.arange(12.0)[::3],
    "expanded": torch.tensor([1.0]).expand(4, 5),
}
ARRAYS = {
    "float32": np.arange(6, dtype=np.float32).reshape(2, 3),
    "float64": np.array([np.pi]),
    "float16": np.array([1.5, 2.5], np.float16),
    "bool": np.array([[True], [False]]),
    "uint8": np.zeros((2, 0), np.uint8),
    "uint16": np.array([65535], np.uint16),
    "int64": np.array(96),
    "empty": np.zeros(0, np.uint8),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "backwards": np.arange(5)[::-1],
}


def round_trip(folder: Path, state: dict[str, Any]) -> dict[str, Any]:
    save_state(folder / "state.safetensors", state)
    return load_state(folder / "state.safetensors")


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_come_back(tmp_path: Path, name: str) -> None:
    back = round_trip(tmp_path, {name: TENSORS[name]})[name]
    assert isinstance(back, torch.Tensor)
    assert (back.dtype, back.shape) == (TENSORS[name].dtype, TENSORS[name].shape)
    assert torch.equal(back, TENSORS[name].detach())


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back(tmp_path: Path, name: str) -> None:
    back = round_trip(tmp_path, {name: ARRAYS[name]})[name]
    assert isinstance(back, np.ndarray)
    assert (back.dtype, back.shape) == (ARRAYS[name].dtype, ARRAYS[name].shape)
    assert np.array_equal(back, ARRAYS[name])


def test_all_at_once_with_strange_names(tmp_path: Path) -> None:
    state = {f"a.b/{name} [é]": value for name, value in {**TENSORS, "array": np.ones(2)}.items()}
    assert set(round_trip(tmp_path, state)) == set(state)


def test_an_empty_state(tmp_path: Path) -> None:
    assert round_trip(tmp_path, {}) == {}


def test_tied_tensors_are_stored_each(tmp_path: Path) -> None:
    """Weights that share memory, as tied embeddings do; safetensors itself refuses them."""
    weight = torch.randn(4, 4)
    back = round_trip(tmp_path, {"encoder": weight, "decoder": weight, "row": weight[1]})
    assert torch.equal(back["encoder"], weight)
    assert torch.equal(back["decoder"], weight)
    assert torch.equal(back["row"], weight[1])


def test_a_loaded_network_predicts_the_same(tmp_path: Path) -> None:
    def network() -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.BatchNorm1d(5))

    first, second = network(), network()
    first(torch.randn(8, 3))  # moves the running statistics
    second.load_state_dict(round_trip(tmp_path, dict(first.state_dict())))
    x = torch.randn(4, 3)
    assert torch.equal(first.eval()(x), second.eval()(x))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (3, "state_dict: size is int; only tensors and numpy arrays"),
        ("vit_b", "state_dict: size is str; only tensors and numpy arrays"),
        ([torch.zeros(1)], "state_dict: size is list; only tensors and numpy arrays"),
        (None, "state_dict: size is NoneType; only tensors and numpy arrays"),
        (np.float32(1), "state_dict: size is float32; only tensors and numpy arrays"),
        (np.array(["a"]), "state_dict: size is an array of <U1; only numbers and booleans"),
        (np.array([{}]), "state_dict: size is an array of object; only numbers and booleans"),
    ],
)
def test_anything_else_is_refused_by_name(tmp_path: Path, value: Any, problem: str) -> None:
    with pytest.raises(TypeError) as caught:
        save_state(tmp_path / "state.safetensors", {"weight": torch.zeros(2), "size": value})
    assert str(caught.value) == problem
    assert list(tmp_path.iterdir()) == []


def test_folders_are_made(tmp_path: Path) -> None:
    save_state(tmp_path / "states" / "deep" / "k.safetensors", {"a": torch.zeros(1)})
    assert [f.name for f in (tmp_path / "states" / "deep").iterdir()] == ["k.safetensors"]


def test_a_failed_write_leaves_the_old_state_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.safetensors"
    save_state(path, {"a": torch.ones(3)})

    def full(tensors: dict[str, torch.Tensor], file: Path, **_: Any) -> None:
        Path(file).write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(state_module, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        save_state(path, {"a": torch.zeros(3)})
    assert os.listdir(tmp_path) == ["state.safetensors"]
    assert torch.equal(load_state(path)["a"], torch.ones(3))


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "cut", "pickle"])
def test_an_unreadable_file_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "state.safetensors"
    save_state(path, {"a": torch.ones(300)})
    whole = path.read_bytes()
    content = {
        "empty": b"",
        "text": b"not a state at all",
        "cut": whole[: len(whole) // 2],
        "pickle": pickle.dumps({"a": 1}),
    }
    path.unlink()
    if kind in content:
        path.write_bytes(content[kind])
    with pytest.raises(RequestError) as caught:
        load_state(path)
    assert str(caught.value).startswith(f"{path}: not a readable state: ")


def test_a_snapshot_does_not_move_with_training() -> None:
    weight, array = torch.nn.Parameter(torch.ones(2)), np.ones(2)
    kept = snapshot({"weight": weight, "array": array})
    with torch.no_grad():
        weight.mul_(5)
    array *= 5
    assert torch.equal(kept["weight"], torch.ones(2))
    assert np.array_equal(kept["array"], np.ones(2))
    assert not kept["weight"].requires_grad
