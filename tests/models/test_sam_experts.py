"""Fused experts in SAM's encoder: what they leave alone, how they start, windows, what is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from segment_anything.modeling import ImageEncoderViT
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.checkpoints import card_of
from bench.models.experts import FusedEncoder, add_experts, expert_state, load_experts
from bench.models.hooks import Hooks
from bench.models.lora import use_lora
from bench.models.sam import make_sam
from bench.models.sam.encoder import Site, encode, sites

EXPERTS = ("image", "patch", "pixel")


def small(size: int = 96) -> ImageEncoderViT:
    """A grid of 6 with windows of 4, padded by 2; the second block sees all."""
    torch.manual_seed(0)
    encoder = ImageEncoderViT(
        img_size=size,
        embed_dim=32,
        depth=2,
        num_heads=2,
        out_chans=16,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=4,
        global_attn_indexes=(1,),
    )
    return randomised(encoder)


def vit_b(size: int) -> ImageEncoderViT:
    torch.manual_seed(0)
    return randomised(make_sam(card_of("sam", "vit_b"), image_size=size).image_encoder)


def randomised(encoder: ImageEncoderViT) -> ImageEncoderViT:
    """Position tables and biases start at zero in the package."""
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if "pos" in name or name.endswith("bias"):
                parameter.normal_(std=0.3)
    return encoder.eval().requires_grad_(False)


def shake(module: nn.Module, *, std: float = 0.3) -> None:
    """Experts, factors and fusion that matter."""
    with torch.no_grad():
        for name, value in module.named_parameters():
            if ".lora_" in name or "fusion" in name:
                value.add_(torch.randn_like(value) * std)


def fuse(encoder: ImageEncoderViT, experts: Sequence[str], **options: Any) -> FusedEncoder:
    return FusedEncoder(encoder, experts, encode=encode, sites=sites(encoder), **options)


def apart(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).abs().max() / expected.abs().max()).item()


@pytest.mark.slow
@pytest.mark.parametrize(("size", "mode"), [(224, "sum"), (512, "stable")])
def test_vit_b_with_zero_experts_is_the_plain_encoder(size: int, mode: str) -> None:
    """Section 12, checks 3 and 6: with B = 0 every residual is 0; 512 has padded windows."""
    encoder, images = vit_b(size), torch.randn(1, 3, size, size)
    residuals: list[float] = []
    with torch.inference_mode():
        plain = encoder(images)
        add_experts(encoder, EXPERTS)
        fused = fuse(encoder, EXPERTS, mode=mode)
        for block in fused.fusion:
            block.register_forward_pre_hook(
                lambda _, given: residuals.extend(given[0].abs().amax((1, 2, 3)).tolist())
            )
        assert apart(fused(images), plain) < 1e-5
    assert residuals == [0.0] * 36


@pytest.mark.slow
def test_vit_b_stable_starts_as_the_image_expert_alone() -> None:
    """Section 12, check 4, first half."""
    encoder, images = vit_b(224), torch.randn(1, 3, 224, 224)
    add_experts(encoder, EXPERTS)
    shake(encoder, std=0.05)
    with torch.inference_mode():
        use_lora(encoder, [])
        plain = encoder(images)
        use_lora(encoder, ["image"])
        alone = encoder(images)
        found = fuse(encoder, EXPERTS, mode="stable")(images)
    assert apart(found, alone) < 1e-5
    assert apart(found, plain) > 1e-2


@pytest.mark.slow
@pytest.mark.parametrize("trained", [True, False])
def test_vit_b_released_starts_with_unit_variance_in_every_block(trained: bool) -> None:
    """Section 12, check 4, second half; with residuals of exactly zero too, where what is
    normalised is the random bias of the last Linear."""
    encoder = vit_b(224)
    add_experts(encoder, EXPERTS)
    if trained:
        shake(encoder, std=1e-2)
    fused = fuse(encoder, EXPERTS, mode="released")
    found: list[Tensor] = []
    for block in fused.fusion:
        block.register_forward_hook(lambda *a: found.append(a[2]))
    with torch.inference_mode():
        fused(torch.randn(1, 3, 224, 224))
    assert len(found) == 12
    for change in found:
        torch.testing.assert_close(
            change.std(-1, correction=0), torch.ones(change.shape[:-1]), atol=0.01, rtol=0
        )


def separately(fused: FusedEncoder, images: Tensor) -> Tensor:
    """As the released code has it: the package's attention on the padded windows, once an expert,
    then the fusion of all their tokens."""
    encoder = fused.encoder

    def attend(site: Site, x: Tensor) -> Tensor:
        windows, _ = site.windows(x)
        outputs = []
        for active in ([], *([name] for name in fused.experts)):
            use_lora(encoder, active)
            outputs.append(site.attention(windows))
        base, *experts = outputs
        tokens = torch.stack([(expert - base).flatten(1, 2) for expert in experts])
        change = fused.fusion[site.block](tokens).view_as(base)
        return site.join(base + change, (x.shape[1], x.shape[2]))

    return encode(encoder, images, hooks=Hooks(attend=attend))


def test_released_in_one_call_is_what_four_calls_give_padding_included() -> None:
    encoder = small()
    add_experts(encoder, EXPERTS)
    fused = fuse(encoder, EXPERTS, mode="released")
    shake(fused)
    images = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        assert apart(fused(images), separately(fused, images)) < 1e-5


def test_stable_is_the_same_without_padding_and_another_where_padding_takes_part() -> None:
    for size, same in ((64, True), (96, False)):
        encoder = small(size)
        add_experts(encoder, EXPERTS)
        fused = fuse(encoder, EXPERTS, mode="stable", bottleneck=16)
        shake(fused)
        images = torch.randn(2, 3, size, size)
        with torch.no_grad():
            assert (apart(fused(images), separately(fused, images)) < 1e-5) is same


@pytest.mark.parametrize("mode", ["stable", "released", "sum"])
def test_attentions_computed_again_give_the_same_gradients(mode: str) -> None:
    encoder = small()
    add_experts(encoder, EXPERTS)
    images, weights = torch.randn(2, 3, 96, 96), torch.randn(2, 16, 6, 6)
    torch.manual_seed(1)
    fused = fuse(encoder, EXPERTS, mode=mode, train_experts=True)
    shake(fused)
    wanted = [p for p in fused.parameters() if p.requires_grad]

    def slopes(recompute: bool) -> list[Tensor]:
        fused.recompute = recompute
        return list(torch.autograd.grad((fused(images) * weights).sum(), wanted))

    for kept, again in zip(slopes(False), slopes(True), strict=True):
        torch.testing.assert_close(again, kept)


def kept_bytes(work: Callable[[], Tensor]) -> int:
    """What a forward pass keeps for the backward pass, each storage once."""
    storages: dict[int, int] = {}

    def pack(x: Tensor) -> Tensor:
        storages[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        out = work()
    assert out.requires_grad
    return sum(storages.values())


def test_attentions_computed_again_are_not_kept() -> None:
    encoder = small()
    add_experts(encoder, EXPERTS)
    fused = fuse(encoder, EXPERTS)
    images = torch.randn(4, 3, 96, 96)
    kept = kept_bytes(lambda: fused(images))
    fused.recompute = True
    assert kept_bytes(lambda: fused(images)) < 0.5 * kept


def test_only_the_fusion_is_trainable_and_the_experts_where_asked() -> None:
    encoder = small()
    add_experts(encoder, EXPERTS)
    fused = fuse(encoder, EXPERTS)
    names = {name for name, p in fused.named_parameters() if p.requires_grad}
    assert names == {name for name, _ in fused.named_parameters() if name.startswith("fusion.")}
    fused = fuse(encoder, EXPERTS, train_experts=True)
    names = {name for name, p in fused.encoder.named_parameters() if p.requires_grad}
    assert names == set(expert_state(encoder, EXPERTS))


def test_a_random_expert_acts_and_a_fresh_one_does_not() -> None:
    encoder, images = small(), torch.randn(1, 3, 96, 96)
    plain = encode(encoder, images)
    add_experts(encoder, ["image"], random=True)
    add_experts(encoder, ["patch"])
    with torch.no_grad():
        use_lora(encoder, ["patch"])
        assert torch.equal(encode(encoder, images), plain)
        use_lora(encoder, ["image"])
        assert apart(encode(encoder, images), plain) > 1e-4
    state = expert_state(encoder, ["image"])
    b = torch.cat([value.flatten() for key, value in state.items() if ".lora_B." in key])
    assert float(b.std()) == pytest.approx(0.02, rel=0.1)


def test_experts_come_back_with_their_factors() -> None:
    """Section 12, check 13: lost factors would fall back to 1."""
    first, images = small(), torch.randn(1, 3, 96, 96)
    add_experts(first, EXPERTS)
    shake(first)
    second = small()
    add_experts(second, EXPERTS)
    state = expert_state(first, EXPERTS)
    assert sum(key.endswith(("image", "patch", "pixel")) for key in state) == 3 * 2
    load_experts(second, EXPERTS, state)
    with torch.no_grad():
        one, two = (fuse(e, EXPERTS, mode="sum")(images) for e in (first, second))
    assert torch.equal(one, two)


def test_a_lost_factor_is_an_error() -> None:
    encoder = small()
    add_experts(encoder, EXPERTS)
    state = expert_state(encoder, EXPERTS)
    del state["blocks.0.attn.qkv.lora_scale.patch"]
    with pytest.raises(RequestError) as caught:
        load_experts(encoder, EXPERTS, state)
    assert "1 missing: blocks.0.attn.qkv.lora_scale.patch" in str(caught.value)


def test_without_experts_it_is_the_plain_encoder() -> None:
    encoder, images = small(), torch.randn(1, 3, 96, 96)
    fused = fuse(encoder, [])
    assert torch.equal(fused(images), encode(encoder, images))
    assert not list(fused.fusion.parameters())


@pytest.mark.parametrize("mode", ["stable", "released"])
def test_a_direct_gradient_leaves_the_experts_attentions_out(mode: str) -> None:
    """The same values; the slopes are those with every residual taken as it is."""
    encoder = small()
    add_experts(encoder, EXPERTS)
    fused = fuse(encoder, EXPERTS, mode=mode)
    shake(fused)
    images, weights = torch.randn(2, 3, 96, 96), torch.randn(2, 16, 6, 6)
    wanted = list(fused.fusion.parameters())

    def slopes(out: Tensor) -> list[Tensor]:
        return list(torch.autograd.grad((out * weights).sum(), wanted))

    exact = fused(images)
    exact_slopes = slopes(exact)
    plain, fused._residuals = fused._residuals, lambda *a: cut(plain(*a))  # type: ignore[method-assign]
    expected = slopes(fused(images))
    del fused._residuals
    fused.through = False
    direct = fused(images)
    torch.testing.assert_close(direct, exact)
    found = slopes(direct)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)
    apart_from_exact = [apart(a, b) for a, b in zip(found, exact_slopes, strict=True)]
    assert max(apart_from_exact) > 1e-2


def cut(given: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    base, residuals = given
    return base, residuals.detach()


def test_a_direct_gradient_keeps_less() -> None:
    encoder = small()
    add_experts(encoder, EXPERTS)
    fused = fuse(encoder, EXPERTS)
    images = torch.randn(4, 3, 96, 96)
    exact = kept_bytes(lambda: fused(images))
    fused.through = False
    assert kept_bytes(lambda: fused(images)) < 0.85 * exact
