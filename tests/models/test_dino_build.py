"""DINOv2 and DINOv3 against their forward pass written out here from the original key layouts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.errors import RequestError
from bench.models.checkpoints import DinoCard, card_of
from bench.models.checkpoints.card import Dinov2Architecture, Dinov3Architecture
from bench.models.dino import build_dino, make_dino

Weights = dict[str, Tensor]
BY_HAND = {"url": None, "sha256": None, "bytes": None, "shipped": False, "manual": "draw it"}


def random_weights(shapes: Mapping[str, tuple[int, ...]]) -> Weights:
    """Every tensor large enough to show; norms around 1."""
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for name, shape in shapes.items():
        tensor = torch.randn(shape, generator=generator)
        scale = shape[-1] ** -0.5 if name.endswith("weight") and len(shape) > 1 else 0.3
        weights[name] = tensor * scale + float("norm" in name and name.endswith("weight"))
    return weights


def block_shapes(width: int, depth: int, mlp_ratio: int = 4) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for number in range(depth):
        layers = {
            "norm1": (width,),
            "attn.qkv": (3 * width, width),
            "attn.proj": (width, width),
            "norm2": (width,),
            "mlp.fc1": (mlp_ratio * width, width),
            "mlp.fc2": (width, mlp_ratio * width),
        }
        for layer, shape in layers.items():
            shapes[f"blocks.{number}.{layer}.weight"] = shape
            shapes[f"blocks.{number}.{layer}.bias"] = shape[:1]
        shapes[f"blocks.{number}.ls1.gamma"] = shapes[f"blocks.{number}.ls2.gamma"] = (width,)
    return shapes


def dinov2_shapes(
    *, width: int, depth: int, patch: int, cells: int, mlp_ratio: int = 4
) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a DINOv2 checkpoint (its repository, models/vision_transformer)."""
    return {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 1 + cells, width),
        "mask_token": (1, width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
        **block_shapes(width, depth, mlp_ratio),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }


def transformer(tokens: Tensor, w: Weights, *, heads: int, eps: float, rotate=None) -> Tensor:
    """Pre-norm blocks with layer scale, then the last norm. tokens (1, N, C)"""
    width = tokens.shape[-1]
    for number in range(sum(name.endswith("norm1.bias") for name in w)):
        b = f"blocks.{number}."
        x = F.layer_norm(tokens, (width,), w[b + "norm1.weight"], w[b + "norm1.bias"], eps)
        qkv = x[0] @ w[b + "attn.qkv.weight"].T + w[b + "attn.qkv.bias"]
        q, k, v = (part.unflatten(1, (heads, -1)).transpose(0, 1) for part in qkv.chunk(3, 1))
        if rotate is not None:
            q, k = rotate(q), rotate(k)
        attention = (q @ k.transpose(1, 2) / math.sqrt(width // heads)).softmax(2)
        x = (attention @ v).transpose(0, 1).flatten(1)
        x = x @ w[b + "attn.proj.weight"].T + w[b + "attn.proj.bias"]
        tokens = tokens + w.get(b + "ls1.gamma", 1) * x
        x = F.layer_norm(tokens, (width,), w[b + "norm2.weight"], w[b + "norm2.bias"], eps)
        x = F.gelu(x @ w[b + "mlp.fc1.weight"].T + w[b + "mlp.fc1.bias"])
        x = x @ w[b + "mlp.fc2.weight"].T + w[b + "mlp.fc2.bias"]
        tokens = tokens + w.get(b + "ls2.gamma", 1) * x
    return F.layer_norm(tokens, (width,), w["norm.weight"], w["norm.bias"], eps)


def patches(image: Tensor, w: Weights) -> Tensor:
    """(1, 3, H, W) -> (1, C, H / patch, W / patch)"""
    kernel = w["patch_embed.proj.weight"]
    side = kernel.shape[-1]
    columns = F.unfold(image, side, stride=side)
    rows = kernel.flatten(1) @ columns + w["patch_embed.proj.bias"][:, None]
    return rows.unflatten(2, (image.shape[2] // side, image.shape[3] // side))


def dinov2(image: Tensor, w: Weights, *, heads: int) -> Tensor:
    """All tokens after the last norm. The table is resized as DINOv2 does: bicubic, + 0.1."""
    cells = patches(image, w)
    table = w["pos_embed"]
    side = math.isqrt(table.shape[1] - 1)
    if cells.shape[2:] != (side, side):
        grid = table[:, 1:].unflatten(1, (side, side)).permute(0, 3, 1, 2)
        factors = [(length + 0.1) / side for length in cells.shape[2:]]
        grid = F.interpolate(grid, scale_factor=factors, mode="bicubic")
        assert grid.shape == cells.shape
        table = torch.cat([table[:, :1], grid.flatten(2).transpose(1, 2)], 1)
    tokens = torch.cat([w["cls_token"], cells.flatten(2).transpose(1, 2)], 1) + table
    return transformer(tokens, w, heads=heads, eps=1e-6)


def dinov3(image: Tensor, w: Weights, *, heads: int) -> Tensor:
    """All tokens after the last norm: class, 4 registers, patches; rotary codes on the patches."""
    w = dict(w)
    for name in [name for name in w if name.endswith("bias_mask")]:
        w[name.removesuffix("_mask")] = w[name.removesuffix("_mask")] * w[name]
    cells = patches(image, w)
    height, width = cells.shape[2:]
    rows = ((torch.arange(height) + 0.5) / height * 2 - 1).repeat_interleave(width)
    columns = ((torch.arange(width) + 0.5) / width * 2 - 1).repeat(height)
    periods = w["rope_embed.periods"]
    angles = 2 * math.pi * torch.cat([rows[:, None] / periods, columns[:, None] / periods], 1)
    code = torch.polar(torch.ones_like(angles), angles)

    def rotate(x: Tensor) -> Tensor:
        """(heads, N, D): the halves of D are real and imaginary parts, turned by the angles."""
        prefix, body = x[:, :5], x[:, 5:]
        real, imaginary = body.chunk(2, 2)
        turned = torch.complex(real.contiguous(), imaginary.contiguous()) * code
        return torch.cat([prefix, torch.cat([turned.real, turned.imag], 2)], 1)

    tokens = [w["cls_token"], w["storage_tokens"], cells.flatten(2).transpose(1, 2)]
    return transformer(torch.cat(tokens, 1), w, heads=heads, eps=1e-5, rotate=rotate)


def image_of(height: int, width: int) -> Tensor:
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(1))


def assert_same(found: Tensor, expected: Tensor) -> None:
    scale = expected.abs().max()
    torch.testing.assert_close(found / scale, expected / scale, rtol=0, atol=2e-5)


def laid(card: DinoCard, weights: Weights, cache: Path) -> DinoCard:
    """The card of a file in the cache, written as the published ones are: flat `.pth`."""
    (cache / "weights").mkdir(exist_ok=True)
    own = card.model_copy(update={**BY_HAND, "file": f"{card.name}.pth"})
    torch.save(weights, cache / "weights" / own.file)
    return own


def test_a_full_dinov2_gives_what_its_own_code_gives(tmp_path: Path) -> None:
    shapes = dinov2_shapes(width=384, depth=12, patch=14, cells=37 * 37)
    weights = random_weights(shapes)
    card = laid(card_of("dino", "vits14"), weights, tmp_path)
    state = torch.get_rng_state()
    model = build_dino(card, cache=tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert make_dino(card).training
    assert model.num_prefix_tokens == 1
    for height, width in ((56, 56), (42, 84)):
        image = image_of(height, width)
        expected = dinov2(image, weights, heads=6)
        assert expected.shape == (1, 1 + height * width // 196, 384)
        assert_same(model.forward_features(image), expected)
        assert_same(model(image), expected[:, 0])


def test_a_small_dino_at_its_own_and_at_another_size(tmp_path: Path) -> None:
    shapes = dinov2_shapes(width=192, depth=6, patch=8, cells=16 * 16, mlp_ratio=3)
    weights = random_weights(shapes)
    for name in [name for name in weights if name == "mask_token" or "gamma" in name]:
        del weights[name]  # ours has none
    card = laid(card_of("dino", "nano"), weights, tmp_path)
    model = build_dino(card, cache=tmp_path)
    for side in (128, 64):
        image = image_of(side, side)
        assert_same(model.forward_features(image), dinov2(image, weights, heads=3))
    assert sum(parameter.numel() for parameter in model.parameters()) == 2_312_640


@pytest.fixture(scope="module")
def dinov3_weights() -> Weights:
    """Full size, in the layout of DINOv3's repository; periods rounded as in its files."""
    width, depth = 384, 12
    shapes = {
        "cls_token": (1, 1, width),
        "storage_tokens": (1, 4, width),
        "mask_token": (1, width),
        "patch_embed.proj.weight": (width, 3, 16, 16),
        "patch_embed.proj.bias": (width,),
        **block_shapes(width, depth),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    weights = random_weights(shapes)
    mask = torch.cat([torch.ones(width), torch.zeros(width), torch.ones(width)])
    for number in range(depth):
        weights[f"blocks.{number}.attn.qkv.bias_mask"] = mask.clone()
    periods = 100 ** (torch.arange(16) / 16)
    weights["rope_embed.periods"] = periods.bfloat16().float()
    return weights


def test_a_full_dinov3_gives_what_its_own_code_gives(
    dinov3_weights: Weights, tmp_path: Path
) -> None:
    card = laid(card_of("dino", "vits16_dinov3"), dinov3_weights, tmp_path)
    model = build_dino(card, cache=tmp_path)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert model.num_prefix_tokens == 5
    image = image_of(64, 96)
    expected = dinov3(image, dinov3_weights, heads=6)
    assert expected.shape == (1, 5 + 24, 384)
    assert_same(model.forward_features(image), expected)
    assert_same(model(image), expected[:, 0])


@pytest.mark.parametrize(
    ("name", "changed", "problem"),
    [
        ("blocks.3.attn.qkv.bias_mask", torch.ones(1152), "blocks.3.attn.qkv.bias has a bias on"),
        ("rope_embed.periods", torch.ones(8), "rope_embed.periods is missing or not of length 16"),
    ],
)
def test_a_dinov3_that_timm_cannot_hold_is_refused(
    dinov3_weights: Weights, tmp_path: Path, name: str, changed: Tensor, problem: str
) -> None:
    card = laid(card_of("dino", "vits16_dinov3"), {**dinov3_weights, name: changed}, tmp_path)
    with pytest.raises(RequestError, match=problem):
        build_dino(card, cache=tmp_path)


def test_a_name_that_timm_does_not_know_is_refused() -> None:
    wrong = Dinov3Architecture(layout="dinov3", timm="vit_tiny_patch16_dinov3")
    card = card_of("dino", "vits16_dinov3").model_copy(update={"architecture": wrong})
    with pytest.raises(RequestError, match=r"knows no model 'vit_tiny_patch16_dinov3'"):
        make_dino(card)


def test_a_file_of_another_architecture_is_refused_with_its_differences(tmp_path: Path) -> None:
    weights = random_weights(dinov2_shapes(width=32, depth=2, patch=8, cells=9))
    del weights["norm.bias"]
    small = Dinov2Architecture(layout="dinov2", width=32, depth=1, heads=2, patch=8)
    card = card_of("dino", "nano").model_copy(update={"architecture": small})
    card = laid(card, weights, tmp_path)
    with pytest.raises(RequestError) as caught:
        build_dino(card, cache=tmp_path)
    message = str(caught.value)
    assert f"{card.name}.pth does not fit the architecture on its card: " in message
    assert "1 missing: norm.bias; 14 unexpected: blocks.1.attn.proj.bias, " in message
    assert "blocks.1.mlp.fc2.bias, blocks.1.mlp.fc2.weight, and 4 more; " in message
    assert message.endswith("1 of another shape: pos_embed is 1x10x32, expected 1x257x32")
