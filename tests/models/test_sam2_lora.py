"""LoRA in SAM 2's encoder: numbers, starts, values in blocks that change their width, saving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.checkpoints import card_of
from bench.models.lora import add_lora, load_lora, lora_state, use_lora
from bench.models.sam2 import make_sam2
from bench.models.sam2.encode import encode
from tests.models.sam2_parts import apart, packaged, random_sam2, shake

IMAGES = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def sam2() -> Any:
    return random_sam2("nano", 64).requires_grad_(False)


def trainable(module: nn.Module) -> set[str]:
    return {name for name, value in module.named_parameters() if value.requires_grad}


def maps(sam2: Any) -> list[Tensor]:
    return [each.detach() for each in vars(encode(sam2, IMAGES)).values()]


def by_hand(stages: tuple[int, ...], width: int, rank: int) -> int:
    """A and B of q and v in every block: 2 * rank * (channels in + channels out)."""
    total, before = 0, width
    for stage, blocks in enumerate(stages):
        after = width * 2**stage
        total += 2 * rank * (before + after) + (blocks - 1) * 2 * rank * 2 * after
        before = after
    return total


@pytest.mark.parametrize(
    ("name", "expected", "stages", "width"),
    [
        ("hiera_tiny", 69_888, (1, 2, 7, 2), 96),
        ("hiera_base_plus", 165_760, (2, 3, 16, 3), 112),
        ("nano", 9_792, (1, 2, 4, 1), 24),
    ],
)
def test_numbers_of_parameters_are_those_of_the_specification(
    name: str, expected: int, stages: tuple[int, ...], width: int
) -> None:
    encoder = make_sam2(card_of("sam2", name), image_size=32).image_encoder
    add_lora(encoder, rank=4)
    assert sum(value.numel() for value in encoder.parameters() if value.requires_grad) == expected
    assert expected == by_hand(stages, width, 4)


def test_three_experts_with_a_factor_a_block() -> None:
    encoder = make_sam2(card_of("sam2", "hiera_tiny"), image_size=32).image_encoder
    for name in ("image", "patch", "pixel"):
        add_lora(encoder, name=name, learned_scale=True)
    use_lora(encoder, ["image", "patch", "pixel"])
    found = sum(value.numel() for value in encoder.parameters() if value.requires_grad)
    assert found == 3 * (69_888 + 12)


def test_at_the_start_the_encoder_is_the_plain_one(sam2: Any) -> None:
    plain = maps(sam2)
    add_lora(sam2.image_encoder, learned_scale=True)
    assert all(apart(found, value) < 1e-6 for found, value in zip(maps(sam2), plain, strict=True))
    shake(sam2)
    assert all(apart(found, value) > 1e-2 for found, value in zip(maps(sam2), plain, strict=True))


@pytest.mark.parametrize("number", [1, 2])
def test_values_are_those_of_the_formula_and_k_is_not_touched(sam2: Any, number: int) -> None:
    """Block 1 takes 24 channels in and gives 48, block 2 takes and gives 48."""
    layer = sam2.image_encoder.trunk.blocks[number].attn.qkv
    inside, outside = (24, 48)[number - 1], 48
    plain = nn.Linear(inside, 3 * outside)
    plain.load_state_dict(layer.state_dict())
    add_lora(sam2.image_encoder, rank=4)
    shake(sam2)
    layer = sam2.image_encoder.trunk.blocks[number].attn.qkv
    x = torch.randn(5, 7, inside)
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"]
    assert a.shape == (8, inside)
    assert b["q"].weight.shape == b["v"].weight.shape == (outside, 4)
    expected = plain(x)
    expected[..., :outside] += x @ a[:4].T @ b["q"].weight.T
    expected[..., 2 * outside :] += x @ a[4:].T @ b["v"].weight.T
    torch.testing.assert_close(layer(x), expected)
    assert torch.equal(layer(x)[..., outside : 2 * outside], plain(x)[..., outside : 2 * outside])


def test_the_package_and_encode_agree_under_lora_gradients_too(sam2: Any) -> None:
    """In float64: the slope of a query that sees a whole image is small, in float32 its rounding
    would show."""
    add_lora(sam2.image_encoder)
    shake(sam2)
    adapter = [p for p in sam2.double().parameters() if p.requires_grad]
    images = IMAGES.double()
    both = []
    for found in (list(vars(encode(sam2, images)).values()), packaged(sam2, images)):
        generator = torch.Generator().manual_seed(3)
        products = [(x * torch.randn(x.shape, generator=generator)).sum() for x in found]
        slopes = torch.autograd.grad(torch.stack(products).sum(), adapter)
        both.append((*found, *slopes))
    assert len(both[0]) == 3 + 3 * 8
    assert max(map(apart, *both)) < 1e-5


def test_the_adapter_alone_is_trainable_and_learns(sam2: Any) -> None:
    add_lora(sam2.image_encoder, learned_scale=True)
    own = {f"image_encoder.{name}" for name in lora_state(sam2.image_encoder)}
    assert trainable(sam2) == own
    before = {name: value.clone() for name, value in sam2.state_dict().items()}
    optimiser = torch.optim.SGD([p for p in sam2.parameters() if p.requires_grad], lr=1.0)
    weights = torch.randn(64, 4, 4, generator=torch.Generator().manual_seed(2))
    for _ in range(2):  # B moves first; A has no slope while B is zero
        optimiser.zero_grad()
        (encode(sam2, IMAGES).s16 * weights).sum().backward()
        optimiser.step()
    changed = {n for n, value in sam2.state_dict().items() if not torch.equal(value, before[n])}
    assert changed == own


def test_an_adapter_saved_and_loaded_gives_the_same_maps(sam2: Any, tmp_path: Path) -> None:
    fresh = random_sam2("nano", 64).requires_grad_(False)
    for model in (sam2, fresh):
        add_lora(model.image_encoder, name="one", learned_scale=True)
        add_lora(model.image_encoder, name="two")
    shake(sam2)
    for model in (sam2, fresh):
        use_lora(model.image_encoder, ["one"], train=False)
    weights = lora_state(sam2.image_encoder, "one")
    assert len(weights) == 8 * 4
    save_file(weights, tmp_path / "one.safetensors")
    load_lora(fresh.image_encoder, load_file(tmp_path / "one.safetensors"), "one")
    assert all(map(torch.equal, maps(fresh), maps(sam2)))
    untouched = lora_state(fresh.image_encoder, "two")
    assert not any(value.any() for name, value in untouched.items() if "lora_B" in name)


def test_weights_of_another_encoder_are_refused(sam2: Any) -> None:
    add_lora(sam2.image_encoder)
    other = make_sam2(card_of("sam2", "hiera_tiny"), image_size=32).image_encoder
    add_lora(other)
    with pytest.raises(RequestError) as caught:
        load_lora(sam2.image_encoder, lora_state(other))
    assert str(caught.value).startswith("weights for LoRA adapter 'default' does not fit")
    assert "trunk.blocks.11.attn.qkv.lora_A.default.weight" in str(caught.value)
