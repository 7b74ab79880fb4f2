"""HSSL: what each stage trains, what is kept and thrown away, its arms, and that it learns."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.cards import MethodCard
from bench.errors import RequestError
from bench.registry import discover
from bench.unit.state import load_state, save_state
from bench.worker.clock import MethodClock
from methods.hssl.method import HSSL
from methods.hssl.unet import UNet, zscored
from methods.hssl.views import Views
from tests.methods.hssl_tiny import SIDE, drawn, hssl, phase, pretrained, several
from tests.methods.tiny import blind, dice

CARD = discover().method("hssl")[1]
assert isinstance(CARD, MethodCard)


def tensors(method: HSSL) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in method.network.named_parameters()}


def moved(before: dict[str, torch.Tensor], method: HSSL) -> set[str]:
    return {name for name, p in method.network.named_parameters() if (before[name] != p).any()}


def test_the_network_is_the_specifications() -> None:
    """Five levels, 32 to 512 channels; the bottleneck is a sixteenth of the input."""
    network = UNet(classes=2, width=32, size=64)
    assert network.widths == [32, 64, 128, 256, 512]
    maps = network.encoder(torch.rand(1, 1, 64, 64))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (32, 64, 64),
        (64, 32, 32),
        (128, 16, 16),
        (256, 8, 8),
        (512, 4, 4),
    ]
    assert network(torch.rand(1, 1, 64, 64)).shape == (1, 3, 64, 64)
    assert network.deep(torch.rand(2, 1, 64, 64)).shape == (2, 512)
    # Counted from the last block: the third is at a quarter of the input, after two blocks.
    assert network.shallow(torch.rand(1, 1, 64, 64), 3).shape == (1, 128, 16, 16)
    assert network.shallow(torch.rand(1, 1, 64, 64), 1).shape == (1, 32, 64, 64)
    # 3 x 3 twice and two norms a level: (1 * 32 + 32 * 32) * 9 + 4 * 32, and so on, by hand.
    given, sides = [1, 32, 64, 128, 256], [32, 64, 128, 256, 512]
    encoder = sum((a * b + b * b) * 9 + 4 * b for a, b in zip(given, sides, strict=True))
    decoder = sum((3 * b * b + b * b) * 9 + 4 * b for b in (256, 128, 64, 32))
    head = 32 * 3 + 3
    assert sum(p.numel() for p in network.parameters()) == encoder + decoder + head


def test_slices_are_z_scored() -> None:
    x = torch.rand(3, 1, 8, 8) * 5 + 2
    x[2] = 0
    z = zscored(x)
    assert torch.allclose(z[:2].mean((1, 2, 3)), torch.zeros(2), atol=1e-5)
    assert torch.allclose(z[:2].std((1, 2, 3), correction=0), torch.ones(2), atol=1e-4)
    assert not z[2].any()


def test_sizes_that_do_not_fit_are_refused() -> None:
    for size in (40, 16):
        with pytest.raises(RequestError) as caught:
            hssl(image_size=size)
        assert str(caught.value) == (
            f"method.image_size={size}: 5 levels need a multiple of 16, 32 or more"
        )
    with pytest.raises(RequestError, match=r"method\.pretrain_size=24: 5 levels need a multiple"):
        next(phase("pretrain", hssl(pretrain_size=24), several(), steps=1))


def test_stage_1_trains_the_encoder_and_stage_2_the_decoder() -> None:
    """Of 9 steps the encoder has 6: 100 of 150 epochs. Stage 2 leaves the encoder alone, and the
    blocks above the map that it looks at."""
    method = hssl()
    steps = phase("pretrain", method, several(), steps=9)
    start = tensors(method)
    first = [next(steps) for _ in range(6)]
    encoder = moved(start, method)
    assert encoder == {name for name in start if name.startswith("encoder.")}
    middle = tensors(method)
    rest = list(steps)
    decoder = moved(middle, method)
    assert decoder == {n for n in start if n.startswith(("decoder.blocks.0.", "decoder.blocks.1."))}
    assert [report.samples for report in (*first, *rest)] == [4] * 9
    assert set(method.state_dict()) == encoder | decoder


@pytest.mark.parametrize(("level", "blocks"), [(1, 4), (2, 3), (4, 1)])
def test_the_local_level_says_which_blocks_learn(level: int, blocks: int) -> None:
    state = pretrained(steps=3, local_level=level)
    found = {name.split(".")[2] for name in state if name.startswith("decoder.")}
    assert found == {str(number) for number in range(blocks)}


def test_no_head_is_kept() -> None:
    own = {name for name, _ in hssl().network.named_parameters()}
    state = pretrained()
    assert set(state) < own
    assert not any(name.startswith("head") for name in state)


def test_fine_tuning_starts_from_what_was_learnt(tmp_path: Path) -> None:
    save_state(tmp_path / "one.safetensors", pretrained())
    state = load_state(tmp_path / "one.safetensors")
    method = hssl(seed=1, lr=0, encoder_lr=0)
    list(phase("adapt", method, [drawn(1)], steps=1, pretrained=state))
    now = dict(method.network.named_parameters())
    assert all(torch.equal(now[name], value) for name, value in state.items())
    untouched = dict(hssl(seed=1).network.named_parameters())
    assert torch.equal(now["head.weight"], untouched["head.weight"])


def optimiser_rates(
    method: HSSL, monkeypatch: pytest.MonkeyPatch, **given: Any
) -> dict[str, float]:
    """Name of a parameter -> its base rate, as the optimiser is made."""
    seen: dict[int, float] = {}
    adam = torch.optim.Adam

    def noted(groups: Any, **more: Any) -> Any:
        seen.update({id(p): g["lr"] for g in groups for p in g["params"]})
        return adam(groups, **more)

    monkeypatch.setattr("methods.hssl.method.torch.optim.Adam", noted)
    next(phase("adapt", method, [drawn(1)], steps=1, **given))
    return {n: seen[id(p)] for n, p in method.network.named_parameters() if p.requires_grad}


@pytest.mark.parametrize(
    ("changes", "encoder", "rest"),
    [
        ({}, 1e-4, 1e-3),
        ({"lr": 0.02}, 2e-3, 0.02),
        ({"apply_to": "sam_lora"}, 5e-4, 5e-3),
        ({"apply_to": "sam_lora", "terms": "none"}, 5e-3, 5e-3),
        ({"encoder_lr": 0.5}, 0.5, 1e-3),
        ({"terms": "none"}, 1e-3, 1e-3),  # nothing was learnt that could be lost
    ],
)
def test_rates_are_discriminative(
    changes: dict[str, Any], encoder: float, rest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = optimiser_rates(hssl(**changes), monkeypatch)
    assert any(name.startswith("encoder.") for name in rates)
    assert any(name.startswith("decoder.") for name in rates)
    for name, rate in rates.items():
        assert rate == pytest.approx(encoder if name.startswith("encoder.") else rest)


def test_all_weights_are_fine_tuned() -> None:
    method = hssl()
    before = tensors(method)
    list(phase("adapt", method, [drawn(1)], steps=3, pretrained=pretrained()))
    assert moved(before, method) == set(before)


@pytest.mark.parametrize("apply_to", ["unet", "sam_lora"])
def test_a_saved_state_predicts_the_same(apply_to: str, tmp_path: Path) -> None:
    method = hssl(apply_to=apply_to)
    state = pretrained(steps=2, apply_to=apply_to)
    list(phase("adapt", method, [drawn(1)], steps=2, pretrained=state))
    save_state(tmp_path / "s.safetensors", method.state_dict())
    again = hssl(seed=3, apply_to=apply_to, width=8 if apply_to == "unet" else 4)
    again.load_state_dict(load_state(tmp_path / "s.safetensors"))
    given = blind(drawn(7))
    assert np.array_equal(again.predict(given), method.predict(given))


def test_on_sam_lora_alone_is_pretrained() -> None:
    state = pretrained(steps=4, apply_to="sam_lora")
    assert state
    assert all(name.startswith("encoder.") and ".lora_" in name for name in state)
    b = [value for name, value in state.items() if ".lora_B." in name]
    assert b
    assert all(value.any() for value in b)  # it starts at zero
    method = hssl(apply_to="sam_lora")
    before = tensors(method)
    list(phase("adapt", method, [drawn(1)], steps=2, pretrained=state))
    learned = moved(before, method)
    assert any(name.startswith("decoder.") for name in learned)
    assert all(".lora_" in n for n in learned if n.startswith("encoder."))


def test_lora_is_pretrained_at_another_size() -> None:
    """SAM's positions are resized; LoRA's factors have no size."""
    state = pretrained(steps=2, apply_to="sam_lora", pretrain_size=32)
    method = hssl(apply_to="sam_lora")
    assert method.network.size == 64
    list(phase("adapt", method, [drawn(1)], steps=1, pretrained=state))


def test_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [hssl(stages=s).decoder_stage for s in ("auto", "encoder", "encoder+decoder")] == [
        True,
        False,
        True,
    ]
    assert not any(name.startswith("decoder") for name in pretrained(stages="encoder"))
    assert hssl(apply_to="sam_lora", stages="encoder").decoder_stage is False
    with pytest.raises(RequestError) as caught:
        hssl(apply_to="sam_lora", stages="encoder+decoder")
    assert str(caught.value) == (
        "method.stages=encoder+decoder: with apply_to=sam_lora the encoder alone is pre-trained; "
        "say stages=encoder, or leave it out"
    )


ARMS = [
    {"terms": "image"},
    {"terms": "image+task"},
    {"grp_as": "ce"},
    {"terms": "position", "decoder_hier": False},
    {"stages": "encoder"},
    {"groups": "auto", "auto_slices": 2},
    {"regroup": "acdc:one+promise12:one"},
    {"norm": "group"},
]


@pytest.mark.parametrize("changes", ARMS)
def test_every_arm_runs_through(changes: dict[str, Any]) -> None:
    method = hssl(**changes)
    reports = list(phase("pretrain", method, several(), steps=3))
    losses = [report.loss for report in reports if report.steps]
    assert len(losses) == 3
    assert all(loss is not None and 0 < loss < 20 for loss in losses)
    after = hssl(**changes)
    list(phase("adapt", after, [drawn(1)], steps=1, pretrained=dict(method.state_dict())))


def test_one_dataset_leaves_the_image_term() -> None:
    """The task and the group of everything are the same: single-domain pre-training."""
    own = [drawn(n) for n in (1, 2)]
    states = []
    for terms in ("image", "image+task+group"):
        method = hssl(terms=terms)
        list(phase("pretrain", method, own, steps=4))
        states.append(method.state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    with pytest.raises(RequestError, match=r"leaves nothing to learn; add image, or more datasets"):
        next(phase("pretrain", hssl(terms="task+group"), own, steps=4))


def test_from_scratch_there_is_no_pretraining() -> None:
    assert isinstance(CARD, MethodCard)
    assert CARD.pretrains({**CARD.defaults, "terms": "none"}) is None
    assert CARD.pretrains(CARD.defaults) is not None
    own = {"lr", "encoder_lr", "weight_decay", "batch", "epochs", "compile"}
    assert CARD.pretrain is not None
    assert set(CARD.options) - set(CARD.pretrain.options) == own


def test_backbones_are_asked_for_where_they_are_used() -> None:
    assert isinstance(CARD, MethodCard)
    assert CARD.families(CARD.defaults) == ()
    assert CARD.families({**CARD.defaults, "apply_to": "sam_lora"}) == ("sam",)
    assert CARD.families({**CARD.defaults, "groups": "auto"}) == ("dino",)


@pytest.mark.parametrize(
    ("changes", "short", "size"),
    [
        ({"pretrain_size": "auto", "image_size": 128}, True, 64),
        ({"pretrain_size": "auto", "image_size": 128}, False, 128),
        ({"pretrain_size": "auto", "image_size": 80}, True, 48),
        ({"pretrain_size": "auto"}, True, 32),
        ({"pretrain_size": 64}, True, 64),
        ({"apply_to": "sam_lora", "pretrain_size": "auto"}, True, 64),
        ({"apply_to": "sam_lora", "pretrain_size": "auto"}, False, 64),
    ],
)
def test_on_a_cpu_a_budget_halves_the_slices(
    changes: dict[str, Any], short: bool, size: int
) -> None:
    clock = MethodClock(seconds_limit=9.0 if short else None, steps_limit=None)
    assert hssl(**changes)._pretrain_size(clock) == size


def test_its_own_schedule_is_the_specifications() -> None:
    """Without a budget on a GPU or not: batches of 64, then of 12; 250 of them are an epoch."""
    method = hssl(pretrain_batch="auto", decoder_batch=CARD.defaults["decoder_batch"])
    recipe = method._pretraining(MethodClock(seconds_limit=None, steps_limit=None))
    assert (recipe.batch, recipe.epochs, recipe.epoch_batches) == (64, 100, 250)
    assert (recipe.decoder_batch, recipe.decoder_epochs) == (12, 50)
    assert (recipe.lr, recipe.weight_decay) == (1e-3, 1e-5)
    assert (recipe.places, recipe.negatives, recipe.level) == (13, 5, 3)
    short = method._pretraining(MethodClock(seconds_limit=9.0, steps_limit=None))
    assert short.batch == 16
    sam = hssl(apply_to="sam_lora", pretrain_batch="auto")
    assert sam._pretraining(MethodClock(seconds_limit=9.0, steps_limit=None)).batch == 8


def test_an_epoch_is_a_number_of_batches() -> None:
    method = hssl(epoch_batches=2, pretrain_epochs=2, decoder_epochs=1)
    reports = list(phase("pretrain", method, several(), steps=None))
    assert [report.epoch for report in reports] == [False, True, False, True, False, True]


def test_it_is_repeatable() -> None:
    one, other = pretrained(), pretrained()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_it_learns_a_square(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stage's loss falls, and the square of a slice that it has not seen is found. Cropped to
    a third and turned, slices of 32 px show too little for so few steps."""
    monkeypatch.setattr("methods.hssl.method.Views", partial(Views, crop=1.0, degrees=0.0))
    method = hssl(
        width=8,
        pretrain_batch=8,
        terms="task",
        decoder_hier=False,
        decoder_epochs=100,
    )
    losses = [r.loss for r in phase("pretrain", method, several(), steps=100)]
    assert np.mean(losses[40:50]) < 0.95 * np.mean(losses[:10])
    assert losses[-1] < 0.5 * losses[50]
    tuned = hssl(width=8, lr=0.01)
    support = [drawn(n) for n in range(10, 16)]
    list(phase("adapt", tuned, support, steps=80, pretrained=dict(method.state_dict())))
    given = drawn(20)
    assert given.label is not None
    assert dice(tuned.predict(blind(given)), given.label) > 0.8


def test_slices_of_any_shape_are_predicted() -> None:
    method = hssl()
    given = blind(drawn(3))
    assert method.predict(given).shape == (6, SIDE, SIDE)
