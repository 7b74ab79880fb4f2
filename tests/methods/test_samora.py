"""SAMora's second stage: what learns, what stays and is kept, its ablations, and that it learns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.cards import MethodCard
from bench.errors import RequestError
from bench.registry import discover
from bench.train.fitted import FittedSchedule
from bench.train.losses import cross_entropy_squared_dice
from bench.train.slicewise import labels_at
from bench.unit.state import load_state, save_state
from bench.worker.clock import MethodClock
from methods.hsam.method import second_share
from methods.samora.bases import BASES as BASES_OF
from methods.samora.choice import ABLATIONS, Choice, choice_of
from tests.methods.sam_tiny import tensors
from tests.methods.samora_tiny import pretrained, samora, stage
from tests.methods.test_unet import squares
from tests.methods.tiny import blind, dice

BASES = ["samed", "hsam", "sam2"]
SITES = {"sam": 6, "sam2": 8}
"""Attentions of the small networks."""


Taught = Callable[[str], Mapping[str, Any]]


@pytest.fixture(scope="module")
def taught() -> Taught:
    """What stage 1 leaves, for this base."""
    return cache(lambda base: pretrained(base="sam2" if base == "sam2" else "samed"))


@pytest.fixture(scope="module")
def experts(taught: Taught) -> Mapping[str, Any]:
    return taught("samed")


def changed(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> set[str]:
    return {name for name, value in after.items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize("base", BASES)
def test_one_step_changes_the_fusion_and_the_decoder_alone(base: str, taught: Taught) -> None:
    """Section 12, check 5. A zero-initialised product has no slope on its other side at first."""
    method = samora(base=base)
    steps = stage("adapt", method, [squares()], steps=3, pretrained=taught(base))
    next(steps)
    first = tensors(method)
    next(steps)
    moved = changed(first, tensors(method))
    assert moved
    assert all(name.startswith(("decoder.", "encoder.fused.fusion.")) for name in moved)
    assert not any("no_mask_embed" in name for name in moved)
    fusion = {name for name, _ in method.network.named_parameters() if ".fusion." in name}
    assert fusion <= moved


@pytest.mark.parametrize("base", BASES)
def test_the_experts_are_those_of_stage_1(base: str, taught: Taught) -> None:
    method, experts = samora(base=base), taught(base)
    next(stage("adapt", method, [squares()], steps=2, pretrained=experts))
    inside = method.network.encoder.fused.encoder.state_dict()
    assert all(torch.equal(inside[name], value) for name, value in experts.items())
    count = SITES[BASES_OF[base].family.name]
    # Five steps, one for each teacher and expert: every B moved from zero, every factor from one.
    moved = [name for name, value in experts.items() if "lora_B" in name and value.any()]
    assert len(moved) == 3 * count * 2
    factors = torch.stack([value for name, value in experts.items() if "lora_scale" in name])
    assert len(factors) == 3 * count


def test_stage_2_trains_the_prompt_only_where_asked(experts: Mapping[str, Any]) -> None:
    for asked in (False, True):
        method = samora(train_prompt=asked)
        next(stage("adapt", method, [squares()], steps=2, pretrained=experts))
        assert method.network.decoder.no_mask_embed.weight.requires_grad is asked


@pytest.mark.parametrize("base", BASES)
def test_both_stages_come_back_from_a_file(base: str, taught: Taught, tmp_path: Path) -> None:
    """Section 12, check 13: identical logits; a lost factor or a lost expert would change them."""
    save_state(tmp_path / "one.safetensors", taught(base))
    method = samora(base=base)
    kept = load_state(tmp_path / "one.safetensors")
    list(stage("adapt", method, [squares()], steps=3, pretrained=kept))
    save_state(tmp_path / "two.safetensors", method.state_dict())
    again = samora(base=base, seed=1)
    again.load_state_dict(load_state(tmp_path / "two.safetensors"))
    images = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        method.network.eval()
        again.network.eval()
        assert torch.equal(again.network(images), method.network(images))
    given = blind(squares(seed=3))
    assert np.array_equal(again.predict(given), method.predict(given))


def test_stage_2_in_half_precision(experts: Mapping[str, Any]) -> None:
    method = samora(precision="bf16", fusion="released", base="hsam")
    reports = list(stage("adapt", method, [squares()], steps=2, pretrained=experts))
    assert all(r.loss is not None and 0 < r.loss < 5 for r in reports)
    assert method.predict(blind(squares())).max() <= 2


def test_a_state_with_something_missing_is_refused(experts: Mapping[str, Any]) -> None:
    method = samora()
    list(stage("adapt", method, [squares()], steps=1, pretrained=experts))
    state = dict(method.state_dict())
    lost = next(name for name in state if "lora_scale.pixel" in name)
    del state[lost]
    with pytest.raises(RequestError) as caught:
        samora().load_state_dict(state)
    assert str(caught.value).startswith("the saved state of SAMora does not fit")
    assert lost in str(caught.value)


@pytest.mark.parametrize(
    ("base", "fusion"),
    [(base, fusion) for base in BASES for fusion in sorted(BASES_OF[base].family.fusions)],
)
def test_every_fusion_predicts_and_has_its_own_rate(base: str, fusion: str, taught: Taught) -> None:
    method = samora(base=base, fusion=fusion, fusion_lr=1e-9, lr=1e-3, weight_decay=0.0)
    steps = stage("adapt", method, [squares()], steps=2, pretrained=taught(base))
    next(steps)
    before = tensors(method)
    list(steps)
    after = tensors(method)
    by = {name: (after[name] - before[name]).abs().max() for name in changed(before, after)}
    assert all(value < 1e-6 for name, value in by.items() if ".fusion." in name)
    assert max(value for name, value in by.items() if ".fusion." not in name) > 1e-4
    assert method.predict(blind(squares())).shape == (4, 64, 64)


def test_the_released_fusion_is_refused_on_sam_2() -> None:
    with pytest.raises(RequestError) as caught:
        _ = samora(base="sam2", fusion="released").network
    assert str(caught.value) == (
        "method.fusion=released is not defined on sam2: take one of stable, sum"
    )


def test_both_losses(experts: Mapping[str, Any]) -> None:
    """One stage's as SAMed's; two stages weighted as in H-SAM's released code."""
    torch.manual_seed(3)
    images, labels = torch.rand(2, 1, 64, 64), torch.randint(0, 3, (2, 64, 64)).to(torch.uint8)

    def against(logits: Tensor) -> Tensor:
        return cross_entropy_squared_dice(logits, labels_at(labels, logits), dice_weight=0.8)

    method = samora()
    method.network.eval()
    expected = against(method.network(images))
    torch.testing.assert_close(method._loss(images, labels, 0.3), expected)
    method = samora(base="hsam")
    method.network.eval()
    stages, share = method.network.stages(images), second_share(0.5 * 30)
    expected = (1 - share) * against(stages.first) + share * against(stages.second)
    torch.testing.assert_close(method._loss(images, labels, 0.5), expected)
    assert share == pytest.approx(0.6 ** (0.99**15))


@pytest.mark.parametrize(
    ("base", "epochs", "rate"), [("samed", 20, 0.005), ("hsam", 30, 0.0025), ("sam2", 20, 0.005)]
)
def test_the_released_codes_recipe(base: str, epochs: int, rate: float) -> None:
    method = samora(base=base, batch="auto")
    assert (method.recipe.epochs, method.recipe.batch, method.recipe.warm_up) == (epochs, 32, 25)
    assert method.rates == {"decoder": rate, "fusion": 5e-4}


def test_the_schedule_is_the_released_codes() -> None:
    """140 steps on 221 slices: linear up to 1 at the 25th, then (1 - (it - 25) / 115) ^ 0.9."""
    clock = MethodClock(seconds_limit=None, steps_limit=None)
    recipe = samora(batch="auto").recipe
    assert recipe.plan.recipe_steps(221) == 140
    rate = FittedSchedule(clock, recipe_steps=140, warm_up=recipe.warm_up, decay=recipe.decay)
    seen = []
    for step in range(140):
        clock.steps = step
        seen.append(rate())
    assert seen[0] == pytest.approx(1 / 25)
    assert seen[24] == 1
    assert seen[25] == 1
    assert seen[80] == pytest.approx((1 - 55 / 115) ** 0.9)
    assert seen[139] == pytest.approx((1 / 115) ** 0.9)


@pytest.mark.parametrize(
    ("gradient", "experts_given", "under_a_budget", "without"),
    [
        ("auto", "random", False, True),
        ("auto", "lora", True, True),
        ("direct", "random", False, False),
        ("direct", "lora", True, True),
        ("exact", "random", True, True),
    ],
)
def test_the_gradient_is_the_short_one_under_a_budget_alone(
    gradient: str, experts_given: str, under_a_budget: bool, without: bool
) -> None:
    for steps, expected in ((2, under_a_budget), (None, without)):
        method = samora(experts=experts_given, gradient=gradient)
        next(stage("adapt", method, [squares()], steps=steps))
        assert method.network.encoder.fused.through is expected


def test_an_ablation_needs_no_pretraining_and_says_so() -> None:
    card = discover().method("samora")[1]
    assert isinstance(card, MethodCard)
    for experts in ABLATIONS:
        assert card.pretrains({**card.defaults, "experts": experts}) is None
    assert card.families(card.defaults) == ("sam",)
    assert card.families({**card.defaults, "base": "sam2"}) == ("sam2",)
    for experts in ("image", "patch+pixel", "image+patch+pixel"):
        assert card.pretrains({**card.defaults, "experts": experts}) is not None
        assert choice_of(experts).pretrained
    assert set(card.options) > set(card.pretrain.options if card.pretrain else [])


def test_random_experts_stay_as_they_were_drawn() -> None:
    method = samora(experts="random")
    steps = stage("adapt", method, [squares()], steps=3)
    next(steps)
    before = tensors(method)
    list(steps)
    moved = changed(before, tensors(method))
    assert moved
    assert not any(".lora_" in name for name in moved)
    b = [value for name, value in before.items() if ".lora_B." in name]
    assert len(b) == 36
    assert all(0.015 < float(value.std()) < 0.025 for value in b)


def test_lora_without_stage_1_starts_at_the_plain_encoder_and_learns() -> None:
    method = samora(experts="lora")
    b = [p for name, p in method.network.named_parameters() if ".lora_B." in name]
    assert len(b) == 36
    assert not any(p.any() for p in b)
    list(stage("adapt", method, [squares()], steps=3))
    assert all(p.any() for p in b)


def test_without_experts_the_decoder_alone_learns() -> None:
    method = samora(experts="none")
    steps = stage("adapt", method, [squares()], steps=2)
    next(steps)
    before = tensors(method)
    list(steps)
    moved = changed(before, tensors(method))
    assert moved
    assert all(name.startswith("decoder.") for name in moved)


@pytest.mark.parametrize("chosen", ["image", "patch+pixel", "pixel+image"])
def test_a_subset_of_experts_goes_through_both_stages(chosen: str) -> None:
    state = pretrained(experts=chosen)
    assert {name.rsplit(".", 2)[-1] for name in state if "scale" in name} == {*chosen.split("+")}
    method = samora(experts=chosen)
    list(stage("adapt", method, [squares()], steps=2, pretrained=state))
    assert method.predict(blind(squares())).max() <= 2


def test_which_experts() -> None:
    assert choice_of("pixel+image") == Choice(("image", "pixel"), pretrained=True)
    assert choice_of("lora") == Choice(("image", "patch", "pixel"), trained=True)
    for wrong in ("imgae", "image+image", "image,patch", "", "image+random"):
        with pytest.raises(RequestError) as caught:
            choice_of(wrong)
        assert str(caught.value) == (
            f"method.experts={wrong}: join some of image, patch, pixel with +, as in "
            "image+patch+pixel, or give one of none, random, lora"
        )


@pytest.mark.slow
@pytest.mark.parametrize(("base", "least"), [("samed", 0.85), ("hsam", 0.75), ("sam2", 0.75)])
def test_it_learns_two_squares(base: str, least: float, taught: Taught) -> None:
    """On slices that it has not seen. The two-stage decoder starts from random weights."""
    experts = taught(base)  # first: its own training draws random numbers
    method = samora(base=base)
    list(stage("adapt", method, [squares(8)], steps=60, pretrained=experts))
    given = squares(seed=1)
    assert given.label is not None
    prediction = method.predict(blind(given))
    assert dice(prediction, given.label, 1) > least
    assert dice(prediction, given.label, 2) > least
