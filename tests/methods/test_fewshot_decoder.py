"""The few-shot decoder by hand: it learns from kept embeddings, and comes back from a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.contract import Volume
from bench.errors import RequestError
from bench.models.embeddings.frozen import FrozenEncoder
from bench.models.sam import make_sam
from bench.unit.state import load_state, save_state
from methods.fewshot_decoder.collection import Collection, chosen_slices, stacked
from methods.fewshot_decoder.method import FewshotDecoder
from methods.fewshot_decoder.targets import operator
from methods.fewshot_decoder.views import fixed_views
from tests.methods.fewshot_tiny import fewshot
from tests.methods.sam_tiny import assert_seeded
from tests.methods.test_unet import squares
from tests.methods.tiny import adapt, blind, dice, options, pulled, setting, volume

MODES = ["pool", "kmeans", "cells", "proto", "pool_bg", "crop"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embeddings")


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Slices of each call of the image encoder from here on."""
    calls: list[int] = []
    real = FrozenEncoder.encode

    def counted(self, images, inner):  # type: ignore[no-untyped-def]
        calls.append(len(images))
        return real(self, images, inner)

    monkeypatch.setattr(FrozenEncoder, "encode", counted)
    return calls


def test_training_never_runs_the_encoder(tmp_path: Path, encoded: list[int]) -> None:
    """8 slices and two copies of each: 24 embeddings, then none for 30 steps."""
    work = pulled(fewshot(tmp_path), [squares(8)], steps=30, classes=2)
    before = []
    for progress in work:
        if progress.steps:
            before.append(sum(encoded))
    assert before == [24] * 30
    adapt(fewshot(tmp_path, target_mode="kmeans"), [squares(8)], steps=3, classes=2)
    assert sum(encoded) == 24  # another way to make targets finds them all


def test_the_encoder_is_not_even_there_while_training(cache: Path) -> None:
    """It may be thrown away once the collection is read."""
    method = fewshot(cache)
    for number, progress in enumerate(pulled(method, [squares(8)], steps=4, classes=2)):
        if progress.steps == 0 and number == 11:  # 4 chunks of 2, and two copies of each
            method.encoder = None  # type: ignore[assignment]
    assert number == 15


@pytest.mark.parametrize("mode", MODES)
def test_it_learns_two_squares(cache: Path, mode: str) -> None:
    """On slices that it has not seen."""
    method = fewshot(cache, target_mode=mode)
    adapt(method, [squares(8)], steps=50, classes=2)
    given = squares(seed=1)
    assert given.label is not None
    prediction = method.predict(blind(given))
    assert dice(prediction, given.label, 1) > 0.7
    assert dice(prediction, given.label, 2) > 0.7


@pytest.mark.parametrize(
    "change",
    [
        {"multiclass": "per_class"},
        {"prompt": "learned"},
        {"retrieve_k": 2},
        {"start": "scratch"},
        {"loss": "focal_dice"},
        {"leave_out": "patient"},
        {"depth": 3},
        {"output_tokens": "all", "token_dropout": False},
    ],
)
def test_each_variant_learns(cache: Path, change: dict[str, object]) -> None:
    method = fewshot(cache, **change)
    reports = [r for r in adapt(method, [squares(8)], steps=40, classes=2) if r.steps]
    losses = [report.loss for report in reports if report.loss is not None]
    assert len(losses) == 40
    assert np.mean(losses[-8:]) < 0.75 * np.mean(losses[:4])
    assert method.predict(blind(squares(2))).max() == 2


def test_targets_decide_what_is_found(cache: Path) -> None:
    """The same decoder and image: with the targets exchanged, the classes are."""
    method = fewshot(cache)
    adapt(method, [squares(8)], steps=50, classes=2)
    given = squares(seed=1)
    assert given.label is not None
    method.shots = {1: method.shots[2], 2: method.shots[1]}
    swapped = method.predict(blind(given))
    assert dice(swapped, given.label % 2 * 2 + given.label // 2, 1) > 0.7


def test_a_batch_of_classes_equals_one_by_one(cache: Path) -> None:
    method = fewshot(cache)
    adapt(method, [squares(4)], steps=5, classes=2)
    images, descriptors = torch.randn(3, 128, 8, 8), torch.randn(3, 128)
    with torch.inference_mode():
        together = method.scores(images, descriptors)
        shots = dict(method.shots)
        for value in (1, 2):
            method.shots = {value: shots[value]}
            alone = method.scores(images[1:2], descriptors[1:2])
            torch.testing.assert_close(alone[0, value], together[1, value], rtol=1e-4, atol=1e-4)
    assert not together[:, 0].any()


def test_the_order_of_the_support_does_not_matter_to_a_prediction(cache: Path) -> None:
    method = fewshot(cache)
    adapt(method, [squares(6)], steps=10, classes=2)
    given = blind(squares(seed=2))
    first = method.predict(given)
    method.shots = {value: shots[::-1] for value, shots in method.shots.items()}
    assert (method.predict(given) != first).mean() < 1e-3


def test_a_class_that_no_slice_shows_is_never_found(cache: Path) -> None:
    given = squares(6)
    assert given.label is not None
    label = np.where(given.label == 2, 0, given.label)
    method = fewshot(cache)
    adapt(method, [volume(label, image=given.image)], steps=5, classes=2)
    assert list(method.shots) == [1]
    assert not (method.predict(blind(given)) == 2).any()
    nothing = fewshot(cache)
    reports = adapt(nothing, [volume(label * 0, image=given.image)], steps=5, classes=2)
    assert not any(report.steps for report in reports)
    assert not nothing.predict(blind(given)).any()


def test_one_labelled_slice_is_enough(cache: Path) -> None:
    """Its own copies prompt for it."""
    given = squares(4)
    assert given.label is not None
    label = np.full(given.image.shape, 255, np.uint8)
    label[2] = given.label[2]
    method = fewshot(cache)
    reports = adapt(method, [volume(label, image=given.image, slices=[2])], steps=50, classes=2)
    assert sum(report.steps for report in reports) == 50
    assert [len(shots) for shots in method.shots.values()] == [1, 1]
    assert dice(method.predict(blind(given)), given.label, 1) > 0.5


def test_untrained_it_is_prompted_only(tmp_path: Path, encoded: list[int]) -> None:
    """The control A2: no step, no copy, the checkpoint's decoder with all its tokens."""
    method = fewshot(tmp_path, train=False)
    before = [value.clone() for value in method.parameters()]
    reports = adapt(method, [squares(4)], classes=2)
    assert {(report.steps, report.epoch) for report in reports} == {(0, False)}
    assert sum(encoded) == 4
    assert all(torch.equal(a, b) for a, b in zip(before, method.parameters(), strict=True))
    assert method.network.decoders[0].all_tokens
    assert [len(shots) for shots in method.shots.values()] == [4, 4]


@pytest.mark.parametrize("change", [{}, {"retrieve_k": 1}, {"prompt": "learned"}])
def test_it_comes_back_from_a_file(cache: Path, tmp_path: Path, change: dict[str, object]) -> None:
    method = fewshot(cache, **change)
    adapt(method, [squares(5)], steps=4, classes=2)
    save_state(tmp_path / "state.safetensors", method.state_dict())
    other = fewshot(cache, seed=1, **change)
    other.load_state_dict(load_state(tmp_path / "state.safetensors"))
    given = blind(squares(seed=3))
    assert np.array_equal(other.predict(given), method.predict(given))
    names = {name.split(".")[0] for name in method.state_dict()}
    assert names <= {"decoders", "types", "learned", "targets"}  # nothing of the encoder


def test_a_seed_fixes_it_and_looking_changes_nothing(cache: Path) -> None:
    assert_seeded(lambda seed: fewshot(cache, seed=seed))


def test_without_a_budget_its_recipe_is_a_number_of_steps(cache: Path) -> None:
    """4 slices of two classes in batches of 4, no slice without one: epochs of two steps."""
    reports = [r for r in adapt(fewshot(cache, steps=5), [squares(4)], classes=2) if r.steps]
    assert [(r.samples, r.epoch) for r in reports] == [(4, False), (4, True)] * 2 + [(4, False)]


@pytest.mark.parametrize("shape", [(1, 64, 64), (2, 96, 80), (3, 33, 47), (9, 64, 20)])
def test_it_predicts_on_any_grid(cache: Path, shape: tuple[int, int, int]) -> None:
    method = fewshot(cache)
    adapt(method, [squares(2)], steps=1, classes=2)
    image = np.random.default_rng(0).uniform(size=shape).astype(np.float16)
    prediction = method.predict(Volume("c", "p", image, (1.0, 1.0, 1.0)))
    assert (prediction.shape, prediction.dtype) == (shape, np.uint8)
    assert prediction.max() <= 2


def test_a_share_of_the_slices_without_a_class() -> None:
    """Four slices show one: with a half, two of the other six are taken, evenly spread."""
    label = np.zeros((10, 8, 8), np.uint8)
    label[:4, 2, 2] = 1
    given = volume(label)
    assert chosen_slices([given], empty_share=0.0) == {"c": [0, 1, 2, 3]}
    assert chosen_slices([given], empty_share=0.5) == {"c": [0, 1, 2, 3, 5, 8]}
    assert chosen_slices([given], empty_share=0.25) == {"c": [0, 1, 2, 3, 7]}
    assert len(chosen_slices([given], empty_share=1.0)["c"]) == 8
    assert chosen_slices([volume(label * 0)], empty_share=1.0) == {"c": []}
    label[0] = 255
    assert chosen_slices([volume(label, slices=[0, 1])], empty_share=0.0) == {"c": [1]}


def test_a_stop_keeps_which_copies_there_are(cache: Path) -> None:
    """The clock decides how many: another start may have made more, or fewer."""

    def collection(*copies: tuple[int, int]) -> Collection:
        encoder = fewshot(cache).encoder
        made = Collection(encoder=encoder, operator=operator("pool", clusters=2), classes=2, ring=1)
        for _ in made.read([squares(4), replace(squares(6), case="other")], empty_share=0.0):
            pass
        for copy, number in copies:
            made.augment(number, copy=copy)
        return made

    stopped = collection((1, 0), (1, 1), (2, 1))
    for other in (collection(), collection((1, 0), (1, 1), (2, 0), (2, 1))):
        other.load_state_dict(stopped.state_dict())
        assert other.state_dict() == stopped.state_dict()
        assert {len(one.views) for one in other.slices} == {1, 2, 3}
        for ours, theirs in zip(other.slices, stopped.slices, strict=True):
            assert torch.equal(stacked(ours.views), stacked(theirs.views))


def test_a_view_is_its_slices_own() -> None:
    """Whatever else is in the batch, and whatever was drawn before: so it is found again."""
    images, labels = torch.rand(3, 1, 16, 16), torch.randint(0, 2, (3, 16, 16)).to(torch.uint8)
    names = ["a0" * 16, "b1" * 16, "c2" * 16]
    state = torch.get_rng_state()
    together = fixed_views(images, labels, names, copy=1)
    assert torch.equal(torch.get_rng_state(), state)
    alone = fixed_views(images[1:2], labels[1:2], names[1:2], copy=1)
    assert torch.equal(alone[0], together[0][1:2])
    assert torch.equal(alone[1], together[1][1:2])
    other = fixed_views(images[1:2], labels[1:2], names[1:2], copy=2)
    assert not torch.equal(other[0], alone[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"image_size": 100},
            "sam nano: an image size of 100 is no multiple of its patch, 8 pixels",
        ),
    ],
)
def test_wrong_options_are_refused(cache: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        fewshot(cache, **change)
    assert str(caught.value) == message


def test_the_learning_rate(cache: Path) -> None:
    assert fewshot(cache).rate == 1e-3  # a small network of our own
    assert fewshot(cache, lr=0.02).rate == 0.02


@pytest.mark.slow
def test_full_size_network_at_1024_px(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ViT-B with random weights, end to end: two labelled slices, one step, one query slice."""

    def random_weights(card: Any, *, image_size: int, **_: Any) -> Any:
        return make_sam(card, image_size=image_size).eval().requires_grad_(False)

    monkeypatch.setattr("methods.fewshot_decoder.method.build_sam", random_weights)
    here = replace(setting(2), backbone={"sam": "vit_b"}, cache=cache)
    method = FewshotDecoder(options("fewshot_decoder", fill_share=0, batch=1), here)
    assert method.encoder.canvas.size == 1024
    adapt(method, [squares(2)], steps=1, classes=2)
    query = squares(1, seed=1)
    prediction = method.predict(query)
    assert prediction.shape == query.image.shape
    assert prediction.dtype == np.uint8
