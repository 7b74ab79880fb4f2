"""LoRA on slices of q | k | v: numbers, starts, values by hand, what is saved, refusals."""

from __future__ import annotations

import copy
import math
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from segment_anything.modeling import ImageEncoderViT
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.checkpoints import card_of
from bench.models.lora import SliceLora, add_lora, load_lora, lora_state, use_lora
from bench.models.sam import make_sam
from bench.models.sam.encoder import encode


@pytest.fixture
def encoder() -> ImageEncoderViT:
    torch.manual_seed(0)
    return ImageEncoderViT(
        img_size=64,
        embed_dim=24,
        depth=2,
        num_heads=2,
        out_chans=8,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=3,
        global_attn_indexes=(1,),
    )


IMAGES = torch.rand(2, 3, 64, 64)


def trainable(module: nn.Module) -> set[str]:
    return {name for name, value in module.named_parameters() if value.requires_grad}


def shake(module: nn.Module) -> None:
    with torch.no_grad():
        for name, value in module.named_parameters():
            if ".lora_" in name:
                value.normal_()


@pytest.mark.parametrize(("name", "expected"), [("vit_b", 147_456), ("vit_l", 393_216)])
def test_numbers_of_parameters_are_those_of_the_specification(name: str, expected: int) -> None:
    with torch.device("meta"):
        vit = make_sam(card_of("sam", name)).image_encoder
        add_lora(vit, rank=4)
    assert sum(value.numel() for value in vit.parameters() if value.requires_grad) == expected
    assert sum(value.numel() for value in lora_state(vit).values()) == expected


def test_three_experts_with_scales_have_the_number_of_the_specification() -> None:
    with torch.device("meta"):
        vit = make_sam(card_of("sam", "vit_b")).image_encoder
        for name in ("image", "patch", "pixel"):
            add_lora(vit, rank=4, name=name, learned_scale=True)
    use_lora(vit, ["image", "patch", "pixel"])
    assert sum(value.numel() for value in vit.parameters() if value.requires_grad) == 442_404


def test_at_the_start_the_encoder_is_the_plain_one(encoder: ImageEncoderViT) -> None:
    plain = encode(encoder, IMAGES)
    add_lora(encoder, learned_scale=True)
    assert torch.equal(encode(encoder, IMAGES), plain)


def test_a_starts_kaiming_uniform_and_b_at_zero(encoder: ImageEncoderViT) -> None:
    add_lora(encoder, rank=400)
    layer = encoder.blocks[0].attn.qkv
    down = layer.lora_A["default"].weight
    bound = math.sqrt(6 / ((1 + 5) * 24))  # a = sqrt 5, 24 inputs
    assert 0.99 * bound < float(down.detach().abs().max()) <= bound
    assert float(down.detach().std()) == pytest.approx(bound / math.sqrt(3), rel=0.03)
    assert not any(up.weight.any() for up in layer.lora_B["default"].values())


def test_values_are_those_of_the_formula_and_k_is_not_touched(encoder: ImageEncoderViT) -> None:
    plain = nn.Linear(24, 72)
    plain.load_state_dict(encoder.blocks[0].attn.qkv.state_dict())
    add_lora(encoder, rank=4, name="one")
    add_lora(encoder, rank=2, name="two", slices="kv", learned_scale=True)
    shake(encoder)
    layer = encoder.blocks[0].attn.qkv
    x = torch.randn(5, 7, 24)
    a, b = layer.lora_A["one"].weight, layer.lora_B["one"]
    expected = plain(x)
    expected[..., :24] += x @ a[:4].T @ b["q"].weight.T
    expected[..., 48:] += x @ a[4:].T @ b["v"].weight.T
    use_lora(encoder, ["one"])
    torch.testing.assert_close(layer(x), expected)
    assert torch.equal(layer(x)[..., 24:48], plain(x)[..., 24:48])

    a, b = layer.lora_A["two"].weight, layer.lora_B["two"]
    scale = layer.lora_scale["two"]
    expected[..., 24:48] += scale * (x @ a[:2].T @ b["k"].weight.T)
    expected[..., 48:] += scale * (x @ a[2:].T @ b["v"].weight.T)
    use_lora(encoder, ["one", "two"])
    torch.testing.assert_close(layer(x), expected)
    use_lora(encoder, [])
    assert torch.equal(layer(x), plain(x))


def test_the_adapter_alone_is_trainable_and_learns(encoder: ImageEncoderViT) -> None:
    add_lora(encoder, name="one", learned_scale=True)
    assert trainable(encoder) == set(lora_state(encoder, "one"))
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    optimiser = torch.optim.SGD([p for p in encoder.parameters() if p.requires_grad], lr=1.0)
    weights = torch.randn(2, 8, 4, 4)
    for _ in range(2):  # B moves first; A has no slope while B is zero
        optimiser.zero_grad()
        (encode(encoder, IMAGES) * weights).sum().backward()
        optimiser.step()
    changed = {n for n, value in encoder.state_dict().items() if not torch.equal(value, before[n])}
    assert changed == set(lora_state(encoder, "one"))


def test_a_second_adapter_freezes_the_first_and_a_choice_can_be_frozen(
    encoder: ImageEncoderViT,
) -> None:
    add_lora(encoder, name="one")
    add_lora(encoder, name="two")
    assert trainable(encoder) == set(lora_state(encoder, "two"))
    use_lora(encoder, ["one", "two"])
    assert trainable(encoder) == {*lora_state(encoder, "one"), *lora_state(encoder, "two")}
    use_lora(encoder, ["one"], train=False)
    assert not trainable(encoder)


def test_an_adapter_saved_and_loaded_gives_the_same_embedding(
    encoder: ImageEncoderViT, tmp_path: Path
) -> None:
    fresh = copy.deepcopy(encoder)
    for vit in (encoder, fresh):
        add_lora(vit, name="one", learned_scale=True)
        add_lora(vit, name="two")
    shake(encoder)
    use_lora(encoder, ["one"])
    use_lora(fresh, ["one"])
    weights = lora_state(encoder, "one")
    assert len(weights) == 2 * 4
    assert all(".lora_" in name and ".one" in name for name in weights)
    save_file(weights, tmp_path / "one.safetensors")
    load_lora(fresh, load_file(tmp_path / "one.safetensors"), "one")
    assert torch.equal(encode(fresh, IMAGES), encode(encoder, IMAGES))
    untouched = lora_state(fresh, "two")
    assert not any(value.any() for name, value in untouched.items() if "lora_B" in name)


def test_each_runs_every_adapter_alone_and_learns_through_all(encoder: ImageEncoderViT) -> None:
    add_lora(encoder, name="one")
    add_lora(encoder, name="two", learned_scale=True)
    shake(encoder)
    layer: SliceLora = encoder.blocks[1].attn.qkv
    x = torch.randn(3, 24)
    found = layer.each(x, ["two", None, "one"])
    alone: list[Tensor] = []
    for active in (["two"], [], ["one"]):
        use_lora(encoder, active)
        alone.append(layer(x))
    assert torch.equal(found, torch.stack(alone))


def wrong_file(encoder: nn.Module, change: str) -> dict[str, Tensor]:
    weights = dict(lora_state(encoder, "one"))
    name = "blocks.0.attn.qkv.lora_A.one.weight"
    if change == "missing":
        del weights[name]
    elif change == "shape":
        weights[name] = weights[name][:2]
    elif change == "foreign":
        weights["pos_embed"] = torch.zeros(1)
    return weights


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("missing", "1 missing: blocks.0.attn.qkv.lora_A.one.weight"),
        ("shape", "1 of another shape: blocks.0.attn.qkv.lora_A.one.weight is 2x24, expected 8x24"),
        ("foreign", "weights for LoRA adapter 'one' hold pos_embed, which is not its"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    encoder: ImageEncoderViT, change: str, message: str
) -> None:
    add_lora(encoder, name="one")
    with pytest.raises(RequestError) as caught:
        load_lora(encoder, wrong_file(encoder, change), "one")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 0}, "LoRA of rank 0: a rank is at least 1"),
        ({"slices": "vq"}, "LoRA slices 'vq': take some of q, k, v, in that order"),
        ({"slices": ""}, "LoRA slices '': take some of q, k, v, in that order"),
        ({"name": "a.b"}, "LoRA adapter name 'a.b': give one without a dot"),
        ({"name": "one"}, "the encoder already has a LoRA adapter 'one'"),
    ],
)
def test_wrong_requests_are_refused(
    encoder: ImageEncoderViT, options: dict[str, object], message: str
) -> None:
    add_lora(encoder, name="one")
    with pytest.raises(RequestError) as caught:
        add_lora(encoder, **{"name": "two", **options})
    assert str(caught.value) == message


def test_an_unknown_adapter_is_refused_with_those_there_are(encoder: ImageEncoderViT) -> None:
    add_lora(encoder, name="image")
    message = r"^unknown LoRA adapter 'imgae'; did you mean image\?$"
    with pytest.raises(RequestError, match=message):
        use_lora(encoder, ["imgae"])
    with pytest.raises(RequestError, match=message):
        lora_state(encoder, "imgae")
    with pytest.raises(RequestError, match=message):
        encoder.blocks[0].attn.qkv.each(torch.zeros(1, 24), ["imgae"])


def test_an_encoder_without_adapters_says_that_it_has_none(encoder: ImageEncoderViT) -> None:
    with pytest.raises(RequestError, match=r"^unknown LoRA adapter 'one'; known: none$"):
        use_lora(encoder, ["one"])
