"""Files of weights: read without running anything of them, and loaded whole or not at all."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.checkpoints.fill import fill, freeze, same_randomness
from bench.models.checkpoints.reading import read_weights


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def refusal(path: Path, **more: str) -> str:
    with pytest.raises(RequestError) as caught:
        read_weights(path, **more)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.fixture
def weights() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(3, 4, generator=generator) for name in ("first", "second")}


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return found.keys() == expected.keys() and all(
        torch.equal(found[name], expected[name]) for name in expected
    )


@pytest.mark.parametrize("name", ["flat.pth", "nested.pt", "old.pth", "ours.safetensors"])
def test_every_layout_is_read(name: str, weights: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / name
    nesting = ""
    if name == "nested.pt":
        nesting = "model"
        torch.save({"model": weights, "step": 3}, path)
    elif name == "ours.safetensors":
        save_file(weights, path)
    else:
        torch.save(weights, path, _use_new_zipfile_serialization=name != "old.pth")
    assert same(read_weights(path, nesting=nesting), weights)


def test_a_zipped_file_is_mapped_not_read(weights: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "big.pth"
    torch.save({"big": torch.zeros(1_000_000)}, path)
    found = read_weights(path)["big"]
    maps = Path("/proc/self/maps")
    if maps.exists():  # only Linux tells
        assert str(path) in maps.read_text()
    assert found.sum() == 0


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_refused_and_not_run(zipped: bool, tmp_path: Path) -> None:
    struck = tmp_path / "struck"
    path = tmp_path / "bad.pth"
    torch.save({"w": Bomb(struck)}, path, _use_new_zipfile_serialization=zipped)
    message = refusal(path)
    assert f"is refused: it holds more than weights (a call of {os.mkdir.__module__}.mkdir)" in (
        message
    )
    assert "nothing of it was run" in message
    assert not struck.exists()
    torch.load(path, weights_only=False)  # the bomb works where it is let
    assert struck.is_dir()


@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_bare_pickle_is_refused_and_not_run(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "bare.pth"
    path.write_bytes(pickle.dumps({"w": Bomb(tmp_path / "struck")}, protocol=protocol))
    expected = "holds more than weights" if protocol == 2 else "(another kind of pickle)"
    assert expected in refusal(path)
    assert not (tmp_path / "struck").exists()


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "module.pth")
    message = refusal(tmp_path / "module.pth")
    assert "a call of torch.nn.modules.linear.Linear" in message


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_broken_bytes_are_named(name: str, weights: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / name
    (torch.save if name == "w.pth" else save_file)(weights, path)
    whole = path.read_bytes()
    kind = "a PyTorch checkpoint" if name == "w.pth" else "safetensors"
    for content in (b"", b"hello", b"<html>not found</html>" * 50, whole[:-100], whole[:60]):
        path.write_bytes(content)
        assert f"is not readable as {kind}" in refusal(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "is no file" in refusal(tmp_path / "none.pth")
    assert "is not readable as safetensors" in refusal(tmp_path / "none.safetensors")


def test_another_nesting_is_named(weights: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save(weights, path)
    message = refusal(path, nesting="model")
    assert "has no key 'model', where its card says the weights lie: first, second" in message
    torch.save({"model": weights}, path)
    message = refusal(path)
    assert "does not hold named tensors where its card says (at its top); found there: model" in (
        message
    )
    torch.save({"model": {}}, path)
    assert "(under 'model'); found there: nothing" in refusal(path, nesting="model")
    torch.save([torch.ones(2)], path)
    assert "holds a list, not named tensors" in refusal(path)
    assert "has no key 'model', where its card says the weights lie: no keys" in refusal(
        path, nesting="model"
    )


def test_filling_is_strict_and_lists_every_kind_of_difference() -> None:
    module = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    wrong = {
        "0.weight": torch.zeros(3, 5),
        "0.bias": torch.zeros(3),
        "1.weight": torch.zeros(2, 3),
        "head.weight": torch.zeros(1),
        "scale": torch.tensor(1.0),
    }
    with pytest.raises(RequestError) as caught:
        fill(module, wrong, source="w.pth")
    assert str(caught.value) == (
        "w.pth does not fit the architecture on its card: 1 missing: 1.bias; "
        "2 unexpected: head.weight, scale; 1 of another shape: 0.weight is 3x5, expected 3x4"
    )
    assert same(module.state_dict(), before)
    right = {name: torch.full_like(tensor, 2) for name, tensor in before.items()}
    fill(module, right, source="w.pth")
    assert same(module.state_dict(), right)


def test_a_scalar_has_a_shape_too() -> None:
    module = nn.BatchNorm1d(2)
    wrong = {**module.state_dict(), "num_batches_tracked": torch.zeros(2, dtype=torch.long)}
    with pytest.raises(RequestError, match=r"num_batches_tracked is 2, expected a scalar"):
        fill(module, wrong, source="w.pth")


def test_a_long_list_is_cut_after_ten() -> None:
    module = nn.ParameterDict({f"w{i:02d}": torch.zeros(1) for i in range(13)})
    with pytest.raises(RequestError) as caught:
        fill(module, {}, source="w.pth")
    assert "13 missing: w00, w01" in str(caught.value)
    assert str(caught.value).endswith("w08, w09, and 3 more")


def test_half_precision_weights_fill_a_float_module() -> None:
    module = nn.Linear(2, 2)
    halves = {name: torch.full_like(t, 0.5).half() for name, t in module.state_dict().items()}
    fill(module, halves, source="w.safetensors")
    assert module.weight.dtype == torch.float32
    assert torch.equal(module.weight.detach(), torch.full((2, 2), 0.5))


def test_a_frozen_module_evaluates_and_learns_nothing() -> None:
    module = freeze(nn.Sequential(nn.Linear(2, 2), nn.Dropout()), "cpu")
    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_drawing_aside_leaves_the_callers_stream() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with same_randomness():
        nn.Linear(50, 50)
    assert torch.equal(torch.rand(2), expected)
