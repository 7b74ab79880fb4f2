"""HL-Attn: counts of the specification, starts, padding, the formula by hand, refusals."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.checkpoints import card_of
from bench.models.experts import FusedEncoder, add_experts
from bench.models.hl_attention import MODES, make_fusion
from bench.models.sam import make_sam
from bench.models.sam.encoder import encode, sites

EXPERTS = ("image", "patch", "pixel")


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def fused(checkpoint: str, mode: str, experts: tuple[str, ...] = EXPERTS, width: int = 32) -> int:
    """Numbers of the fusion on this backbone."""
    with torch.device("meta"):
        vit = make_sam(card_of("sam", checkpoint)).image_encoder
        add_experts(vit, experts)
        encoder = FusedEncoder(
            vit, experts, encode=encode, sites=sites(vit), mode=mode, bottleneck=width
        )
        return count(encoder.fusion)


@pytest.mark.parametrize(
    ("checkpoint", "expected"),
    [("vit_b", 71_000_088), ("vit_l", 252_248_112), ("vit_h", 525_271_104)],
)
def test_released_has_the_number_of_the_specification(checkpoint: str, expected: int) -> None:
    assert fused(checkpoint, "released") == expected


def test_released_is_made_of_the_specifications_parts() -> None:
    block = make_fusion("released", width=768, levels=3, heads=12)
    assert count(block) == 5_916_674
    assert [count(pair) for pair in block.attentions] == [2_957_568] * 2


@pytest.mark.parametrize("width", [16, 32, 64])
def test_stable_has_the_bottlenecks_number(width: int) -> None:
    """73,728 numbers a channel of the bottleneck in its matrices; biases of query, key and value,
    the scale of each channel, two gates a block beside them."""
    beside = 12 * (2 * 3 * width + 768 + 2)
    assert fused("vit_b", "stable", width=width) == 73_728 * width + beside


def test_a_sum_has_nothing_to_train_and_one_expert_has_no_attention() -> None:
    assert fused("vit_b", "sum") == 0
    assert fused("vit_b", "stable", ("patch",)) == 12 * 768
    assert fused("vit_b", "released", ("patch",)) == 12 * 2 * 768
    assert fused("vit_b", "released", ("image", "pixel")) == 12 * (2_957_568 + 1 + 2 * 768)


def residuals(levels: int = 3, *, std: float = 1.0, width: int = 24) -> Tensor:
    generator = torch.Generator().manual_seed(levels)
    return std * torch.randn(levels, 5, 9, width, generator=generator)


def shaken(mode: str, *, levels: int = 3, width: int = 24) -> nn.Module:
    """Weights that matter everywhere."""
    torch.manual_seed(0)
    block = make_fusion(mode, width=width, levels=levels, heads=4, bottleneck=16)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return block


def test_stable_starts_as_the_highest_level_alone() -> None:
    given = residuals()
    assert torch.equal(make_fusion("stable", width=24, levels=3, heads=4)(given), given[0])


@pytest.mark.parametrize("std", [1e-2, 1.0, 30.0])
def test_released_starts_with_unit_variance_however_large_the_residuals_are(std: float) -> None:
    found = make_fusion("released", width=24, levels=3, heads=4)(residuals(std=std))
    torch.testing.assert_close(found.std(-1, correction=0), torch.ones(5, 9), atol=0.01, rtol=0)
    assert found.mean(-1).abs().max() < 1e-5


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_a_sum_is_the_sum(levels: int) -> None:
    given = residuals(levels)
    found = make_fusion("sum", width=24, levels=levels, heads=4)(given)
    torch.testing.assert_close(found, sum(given))


def heads(x: Tensor, number: int) -> Tensor:
    return x.unflatten(-1, (number, -1)).transpose(1, 2)


def mixed(q: Tensor, k: Tensor, v: Tensor, number: int) -> Tensor:
    """Attention written out."""
    q, k, v = (heads(x, number) for x in (q, k, v))
    share = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
    return (share @ v).transpose(1, 2).flatten(2)


def by_hand(block: nn.Module, mode: str, given: Tensor) -> Tensor:
    """The specification's equations, CA with its query and less it again."""
    image, patch, pixel = given

    def cross(attention: nn.Module, high: Tensor, low: Tensor) -> Tensor:
        if mode == "stable":
            q, kv = attention.query(F.layer_norm(high, (24,))), F.layer_norm(low, (24,))
            k, v = attention.key_value(kv).split(16, dim=-1)
            return high + attention.out(mixed(q, k, v, 1))
        q, k, v = (norm(x) for norm, x in zip(attention.norms, (high, low, low), strict=True))
        inner = attention.attention
        projected = [
            F.linear(x, weight, bias)
            for x, weight, bias in zip(
                (q, k, v), inner.in_proj_weight.chunk(3), inner.in_proj_bias.chunk(3), strict=True
            )
        ]
        return high + attention.out(inner.out_proj(mixed(*projected, 4)))

    low, high = block.attentions
    p = patch + block.gates[0] * (cross(low, patch, pixel) - patch)
    i = image + block.gates[1] * (cross(high, image, p) - image)
    if mode == "stable":
        return i * block.finish.weight
    return F.layer_norm(i, (24,), block.finish.weight, block.finish.bias)


@pytest.mark.parametrize("mode", ["stable", "released"])
def test_values_are_those_of_the_equations(mode: str) -> None:
    block, given = shaken(mode), residuals()
    torch.testing.assert_close(block(given), by_hand(block, mode, given))


def test_what_is_padding_does_not_matter_to_stable() -> None:
    block, given = shaken("stable"), residuals()
    padding = torch.zeros(5, 9, dtype=torch.bool)
    padding[1, 4:] = padding[3, :2] = True
    other = given.clone()
    other[:, padding] = 100.0
    torch.testing.assert_close(block(other, padding)[~padding], block(given, padding)[~padding])
    alone = block(given[:, 1:2, :4])
    torch.testing.assert_close(block(given, padding)[1:2, :4], alone)
    assert not torch.allclose(block(given)[1:2, :4], alone, atol=1e-3)


@pytest.mark.parametrize("mode", ["stable", "released"])
def test_every_weight_and_every_level_has_a_slope(mode: str) -> None:
    block, given = shaken(mode), residuals().requires_grad_()
    (block(given) * torch.randn(5, 9, 24)).sum().backward()
    for name, parameter in block.named_parameters():
        # A constant key moves no softmax: PyTorch's fused projection has that bias, so has ours.
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 1e-6, name
    assert given.grad is not None
    assert all(level.abs().max() > 1e-4 for level in given.grad)


def test_levels_are_fused_from_the_lowest_up() -> None:
    """What the lowest says reaches the highest only through the middle."""
    block, given = shaken("stable"), residuals()
    with torch.no_grad():
        block.gates[0].zero_()
    moved = given.clone()
    moved[2] += 1 + torch.rand_like(moved[2])
    assert torch.equal(block(moved), block(given))
    with torch.no_grad():
        block.gates[0].fill_(1)
    assert not torch.allclose(block(moved), block(given))
    steps = [block(torch.cat([given[:2], given[2:] * factor])) for factor in (1.0, 2.0)]
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in pairwise(steps))  # the norm takes it


def test_wrong_requests_are_refused() -> None:
    with pytest.raises(RequestError, match=r"^unknown fusion 'stabel'; did you mean stable\?$"):
        make_fusion("stabel", width=24, levels=2, heads=4)
    assert set(MODES) == {"stable", "released", "sum"}
    for wrong in (0, 40):
        with pytest.raises(RequestError) as caught:
            make_fusion("stable", width=24, levels=2, heads=4, bottleneck=wrong)
        assert str(caught.value) == (
            f"HL-Attn of width {wrong}: give a multiple of 16, or less than 16"
        )
