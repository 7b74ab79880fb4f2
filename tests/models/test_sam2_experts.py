"""Fused experts in SAM 2's encoder: what they leave alone, how they start, what is kept."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from bench.models.checkpoints import card_of
from bench.models.experts import FusedEncoder, add_experts, expert_state
from bench.models.lora import use_lora
from bench.models.sam2 import make_sam2
from bench.models.sam2.encode import Features, encode, sites
from tests.models.sam2_parts import apart, packaged, random_sam2, shake

EXPERTS = ("image", "patch", "pixel")


def fuse(sam2: Any, **options: Any) -> FusedEncoder:
    return FusedEncoder(sam2, EXPERTS, encode=encode, sites=sites(sam2), **options)


def worst(found: Features, expected: list[Tensor]) -> float:
    return max(apart(a, b) for a, b in zip(vars(found).values(), expected, strict=True))


@pytest.mark.parametrize(
    ("name", "size"),
    [("nano", 96), pytest.param("hiera_tiny", 224, marks=pytest.mark.slow)],
)
def test_with_zero_experts_the_encoder_is_the_packages(name: str, size: int) -> None:
    """Both sizes have padded windows."""
    sam2, images = random_sam2(name, size).requires_grad_(False), torch.randn(1, 3, size, size)
    with torch.no_grad():
        expected = packaged(sam2, images)
        add_experts(sam2, EXPERTS)
        assert worst(fuse(sam2)(images), expected) < 1e-5


def test_at_its_start_the_fusion_is_the_highest_expert_alone() -> None:
    sam2, images = random_sam2("nano", 96).requires_grad_(False), torch.randn(2, 3, 96, 96)
    add_experts(sam2, EXPERTS)
    shake(sam2)
    with torch.no_grad():
        use_lora(sam2, ["image"])
        expected = list(vars(encode(sam2, images)).values())
        assert worst(fuse(sam2)(images), expected) < 1e-4
        use_lora(sam2, [])
        assert worst(encode(sam2, images), expected) > 1e-2


def test_the_short_way_has_the_same_values_and_gradients_of_the_last_block() -> None:
    """Without gradients through the experts' attentions."""
    sam2, images = random_sam2("nano", 96).requires_grad_(False), torch.randn(2, 3, 96, 96)
    add_experts(sam2, EXPERTS)
    shake(sam2)
    fused, slopes, values = fuse(sam2), [], []
    for through in (True, False):
        fused.through = through
        fused.zero_grad()
        found = fused(images)
        found.s16.square().sum().backward()
        values.append([each.detach() for each in vars(found).values()])
        slopes.append(fused.fusion[-1].finish.weight.grad.clone())
    assert max(apart(a, b) for a, b in zip(*values, strict=True)) < 1e-5
    assert apart(slopes[1], slopes[0]) < 1e-4


def test_an_expert_of_hiera_tiny_has_the_specifications_number() -> None:
    """69,888 of LoRA at rank 4, and a factor in each of 12 blocks."""
    sam2 = make_sam2(card_of("sam2", "hiera_tiny"), image_size=32)
    add_experts(sam2, ["image"])
    state = expert_state(sam2, ["image"])
    assert sum(value.numel() for value in state.values()) == 69_888 + 12
