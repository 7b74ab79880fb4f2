"""What holds for every method that adapts SAM on slices without prompts."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch

from bench.contract import Volume
from bench.errors import RequestError
from bench.unit.state import load_state, save_state
from tests.methods.sam_tiny import assert_seeded, flat, sam_method, tensors
from tests.methods.test_unet import squares
from tests.methods.tiny import adapt, blind, volume

METHODS = ["samed", "hsam"]


@pytest.mark.parametrize("name", METHODS)
def test_what_is_not_trained_stays_the_checkpoints(name: str) -> None:
    method = sam_method(name)
    before = tensors(method)
    adapt(method, [squares()], steps=2, classes=2)
    after = tensors(method)
    changed = {n for n, value in after.items() if not torch.equal(value, before[n])}
    trained = {n for n, value in method.network.named_parameters() if value.requires_grad}
    assert changed <= trained
    still = trained - changed
    # A head without a loss is moved by weight decay alone; its bias starts anew, and small.
    assert not {n for n in still if "lora" in n or "hypernetworks" in n or "mask_tokens" in n}
    assert not any("lora" not in n for n in changed if n.startswith("encoder."))
    assert len(changed) > 0.9 * len(trained)


@pytest.mark.parametrize("name", METHODS)
def test_it_comes_back_from_a_file_of_what_was_trained(name: str, tmp_path: object) -> None:
    method = sam_method(name)
    adapt(method, [squares()], steps=2, classes=2)
    state = dict(method.state_dict())
    encoder = {n for n in state if n.startswith("encoder.")}
    assert len(encoder) == 6 * 3  # LoRA alone: a block has A of q and v in one, and two B
    file = tmp_path / "state.safetensors"  # type: ignore[operator]
    save_state(file, state)
    other = sam_method(name, seed=1)
    given = blind(squares(seed=3))
    assert not torch.equal(flat(other), flat(method))
    other.load_state_dict(load_state(file))
    scores = []
    for one in (method, other):
        one.network.eval()
        with torch.inference_mode():
            generator = torch.Generator().manual_seed(0)
            scores.append(one.network(torch.rand(2, 1, 64, 64, generator=generator)))
    assert torch.equal(*scores)
    assert np.array_equal(other.predict(given), method.predict(given))


@pytest.mark.parametrize("name", METHODS)
def test_a_seed_fixes_it_and_looking_changes_nothing(name: str) -> None:
    assert_seeded(lambda seed: sam_method(name, seed=seed))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("shape", [(1, 64, 64), (2, 96, 80), (3, 33, 47), (18, 64, 20)])
def test_it_predicts_on_any_grid(name: str, shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(0).uniform(size=shape).astype(np.float16)
    prediction = sam_method(name).predict(Volume("c", "p", image, (1.0, 1.0, 1.0)))
    assert (prediction.shape, prediction.dtype) == (shape, np.uint8)
    assert prediction.max() <= 2


@pytest.mark.parametrize("name", METHODS)
def test_unlabelled_slices_are_not_trained_on(name: str) -> None:
    given = squares()
    assert given.label is not None
    label = np.full(given.image.shape, 255, np.uint8)
    label[2] = given.label[2]
    partly = volume(label, image=given.image, slices=[2])
    (report,) = adapt(sam_method(name), [partly], steps=1, classes=2)
    assert report.samples == 1
    assert report.loss is not None
    assert 0 < report.loss < 3


@pytest.mark.parametrize("name", METHODS)
def test_views_of_its_own_or_those_shared_by_all(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = importlib.import_module(f"methods.{name}.method").VIEWS
    for kind in ("shared", "own"):
        seen: list[int] = []
        real = views[kind]

        def counted(x: torch.Tensor, y: torch.Tensor, real=real, seen=seen):  # type: ignore[no-untyped-def]
            seen.append(len(x))
            return real(x, y)

        monkeypatch.setitem(views, kind, counted)
        adapt(sam_method(name, augment=kind), [squares()], steps=1, classes=2)
        assert seen == [4]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"image_size": 100},
            "sam nano: an image size of 100 is no multiple of its patch, 8 pixels",
        ),
    ],
)
def test_wrong_options_are_refused(name: str, change: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        sam_method(name, **change)
    assert str(caught.value) == message


@pytest.mark.parametrize("name", METHODS)
def test_the_prompts_embedding_is_trained_if_wanted(name: str) -> None:
    for wanted in (True, False):
        state = sam_method(name, train_prompt=wanted).state_dict()
        assert any("no_mask_embed" in key for key in state) == wanted


@pytest.mark.parametrize("name", METHODS)
def test_input_values_are_the_checkpoints_for_small_networks(name: str) -> None:
    assert sam_method(name).network.encoder.entry.normalised
    assert not sam_method(name, values="unit").network.encoder.entry.normalised
