"""`encode` against `segment_anything`'s own encoder: values, gradients, windows, hooks, LoRA."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from segment_anything.modeling import ImageEncoderViT
from segment_anything.modeling.image_encoder import add_decomposed_rel_pos
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.hooks import Hooks
from bench.models.lora import add_lora, use_lora
from bench.models.sam.attention import _biases, attention_by_codes, relative_attention
from bench.models.sam.encoder import Site, encode


def small(size: int = 512, *, depth: int = 2, width: int = 32, window: int = 14) -> ImageEncoderViT:
    """SAM's structure, windows and one block without, with weights that matter everywhere."""
    torch.manual_seed(0)
    encoder = ImageEncoderViT(
        img_size=size,
        embed_dim=width,
        depth=depth,
        num_heads=2,
        out_chans=16,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=window,
        global_attn_indexes=(depth - 1,),
    )
    return randomised(encoder).eval()


def randomised(encoder: ImageEncoderViT) -> ImageEncoderViT:
    """The package starts its position tables, and PyTorch nothing else that matters, at zero."""
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if "pos" in name or name.endswith("bias"):
                parameter.normal_(std=0.3)
    return encoder


def apart(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest value."""
    return ((found - expected).abs().max() / expected.abs().max()).item()


def gradients(encoder: nn.Module, call: Callable[[Tensor], Tensor], images: Tensor) -> list[Tensor]:
    """Of a random projection of the embedding: its own norm is fixed by the last LayerNorm."""
    images = images.clone().requires_grad_()
    out = call(images)
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(3))
    wanted = [p for p in encoder.parameters() if p.requires_grad]
    return list(torch.autograd.grad((out * weights).sum(), [images, *wanted]))


# 224: whole windows; 512: windows padded by 10; 1024: by 6, the structure of the published size.
@pytest.mark.parametrize(("size", "batch"), [(224, 3), (512, 2), (1024, 1)])
def test_values_are_those_of_the_package(size: int, batch: int) -> None:
    encoder = small(size).requires_grad_(False)
    images = torch.randn(batch, 3, size, size)
    assert apart(encode(encoder, images), encoder(images)) < 1e-5


def test_gradients_are_those_of_the_package() -> None:
    encoder = small(512)
    images = torch.randn(2, 3, 512, 512)
    ours = gradients(encoder, partial(encode, encoder), images)
    theirs = gradients(encoder, encoder, images)
    assert len(ours) == 1 + len(list(encoder.parameters()))
    assert max(map(apart, ours, theirs)) < 1e-5


def test_lora_gives_the_same_values_and_gradients_in_the_package_and_here() -> None:
    encoder = small(512)
    add_lora(encoder)
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    images = torch.randn(1, 3, 512, 512)
    assert apart(encode(encoder, images), encoder(images)) < 1e-5
    ours = gradients(encoder, partial(encode, encoder), images)
    theirs = gradients(encoder, encoder, images)
    assert len(ours) == 1 + 3 * len(encoder.blocks)
    assert max(map(apart, ours, theirs)) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("size", [512, 1024])
def test_a_full_vit_b_gives_what_the_package_gives(size: int) -> None:
    from segment_anything import sam_model_registry

    torch.manual_seed(0)
    encoder = randomised(sam_model_registry["vit_b"]().image_encoder).eval().requires_grad_(False)
    encoder.pos_embed = nn.Parameter(
        encoder.pos_embed[:, : size // 16, : size // 16].clone(), requires_grad=False
    )
    encoder.img_size = size
    for block in encoder.blocks:
        if not block.window_size:
            for axis in ("rel_pos_h", "rel_pos_w"):
                table = getattr(block.attn, axis)[: size // 8 - 1].clone()
                setattr(block.attn, axis, nn.Parameter(table, requires_grad=False))
    images = torch.randn(1, 3, size, size)
    assert apart(encode(encoder, images), encoder(images)) < 1e-5


def reference(
    q: Tensor, k: Tensor, v: Tensor, rows: Tensor, columns: Tensor, grid: tuple
) -> Tensor:
    """Attention with the whole table, by the package's own function."""
    scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
    scores = add_decomposed_rel_pos(scores, q, rows, columns, grid, grid)
    return scores.softmax(-1) @ v


@pytest.mark.parametrize("grid", [(3, 5), (14, 14), (40, 30)])
def test_attention_both_ways_is_that_with_the_whole_table(grid: tuple[int, int]) -> None:
    torch.manual_seed(1)
    places = grid[0] * grid[1]  # 1200 for the last: more queries than one part has
    inputs = [torch.randn(9, places, 8, dtype=torch.float64) for _ in range(3)]
    inputs += [torch.randn(2 * side - 1, 8, dtype=torch.float64) for side in grid]
    inputs = [value.requires_grad_() for value in inputs]
    weights = torch.randn(9, places, 8, dtype=torch.float64)

    def by_codes(*tensors: Tensor) -> Tensor:
        q, k, v, rows, columns = tensors
        return attention_by_codes(q, k, v, *_biases(q, rows, columns, grid))

    expected = reference(*inputs, grid)
    slopes = torch.autograd.grad((expected * weights).sum(), inputs)
    for way in (partial(relative_attention, grid=grid), by_codes):
        found = way(*inputs)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(torch.autograd.grad((found * weights).sum(), inputs), slopes)


def test_a_frozen_encoder_keeps_no_graph_and_its_embedding_can_be_trained_on() -> None:
    encoder = small(64).requires_grad_(False)
    embedding = encode(encoder, torch.randn(1, 3, 64, 64))
    assert not embedding.requires_grad
    assert not embedding.is_inference()
    scale = torch.ones(16, 1, 1, requires_grad=True)
    (embedding * scale).sum().backward()
    torch.testing.assert_close(scale.grad, embedding.sum((0, 2, 3))[:, None, None])


def test_a_trainable_encoder_keeps_its_graph_unless_the_caller_says_no() -> None:
    encoder = small(64)
    assert encode(encoder, torch.randn(1, 3, 64, 64)).requires_grad
    with torch.no_grad():
        assert not encode(encoder, torch.randn(1, 3, 64, 64)).requires_grad


def test_bf16_is_close_and_returns_fp32_and_auto_is_fp32_on_a_cpu() -> None:
    encoder = small(224).requires_grad_(False)
    images = torch.randn(1, 3, 224, 224)
    exact, rough = encode(encoder, images), encode(encoder, images, precision="bf16")
    assert rough.dtype == torch.float32
    assert 1e-4 < apart(rough, exact) < 0.05
    assert torch.equal(exact, encode(encoder, images, precision="fp32"))


def test_bf16_gradients_point_where_those_of_fp32_point() -> None:
    encoder = small(224)
    images = torch.randn(1, 3, 224, 224)
    rough = gradients(encoder, partial(encode, encoder, precision="bf16"), images)
    exact = gradients(encoder, partial(encode, encoder), images)
    for ours, theirs in zip(rough, exact, strict=True):
        assert torch.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0) > 0.98


def test_hooks_that_change_nothing_change_nothing() -> None:
    encoder = small(224)
    images = torch.randn(2, 3, 224, 224)
    seen: list[tuple[int, int]] = []

    def attend(site: Site, x: Tensor) -> Tensor:
        seen.append((site.block, site.window))
        return site.attend(x)

    hooked = encode(encoder, images, hooks=Hooks(attend=attend, after=lambda _, x: x))
    assert torch.equal(hooked, encode(encoder, images))
    assert seen == [(0, 14), (1, 0)]


def test_what_a_hook_returns_is_what_the_next_block_gets() -> None:
    encoder = small(224)
    images = torch.randn(1, 3, 224, 224)
    outputs: list[Tensor] = []
    modules = [
        block.register_forward_hook(lambda *a: outputs.append(a[2])) for block in encoder.blocks
    ]
    encoder(images)
    for module in modules:
        module.remove()
    kept: list[Tensor] = []

    def after(block: int, x: Tensor) -> Tensor:
        kept.append(x)
        return torch.zeros_like(x) if block == 1 else x

    ended = encode(encoder, images, hooks=Hooks(after=after))
    assert all(apart(ours, theirs) < 1e-5 for ours, theirs in zip(kept, outputs, strict=True))
    torch.testing.assert_close(ended, encoder.neck(torch.zeros(1, 32, 14, 14)))


def test_windows_are_taken_apart_and_joined_with_their_padding_known() -> None:
    encoder = small(512)
    x = torch.rand(2, 32, 32, 32) + 1
    windowed, whole = (Site(i, b.window_size, b.attn) for i, b in enumerate(encoder.blocks))
    parts, padding = windowed.windows(x)
    assert parts.shape == (2 * 9, 14, 14, 32)
    assert torch.equal(padding, (parts == 0).all(-1))
    assert int((~padding).sum()) == 2 * 32 * 32
    assert torch.equal(windowed.join(parts, (32, 32)), x)
    parts, padding = whole.windows(x)
    assert parts is x
    assert not padding.any()
    assert torch.equal(whole.join(parts, (32, 32)), x)


@pytest.mark.parametrize("block", [0, 1])
def test_residuals_of_each_expert_are_those_of_the_encoder_under_it_alone(block: int) -> None:
    encoder = small(512)
    for name in ("image", "patch"):
        add_lora(encoder, name=name, learned_scale=True)
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if "lora_B" in name or "lora_scale" in name:
                parameter.normal_()
    site = Site(block, encoder.blocks[block].window_size, encoder.blocks[block].attn)
    x = torch.randn(2, 32, 32, 32)
    found = site.attend_each(x, [None, "image", "patch"])
    assert found.shape == (3, 2, 32, 32, 32)
    for active, value in (([], found[0]), (["image"], found[1]), (["patch"], found[2])):
        use_lora(encoder, active)
        parts, _ = site.windows(x)
        expected = site.join(site.attention(parts), (32, 32))  # the package's own attention
        assert apart(value, expected) < 1e-5
    assert apart(found[1], found[0]) > 1e-2


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 64, 80), (0, 3, 64, 64)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(RequestError) as caught:
        encode(small(64), torch.zeros(shape))
    assert str(caught.value) == (
        f"images of shape {'x'.join(map(str, shape))}; this encoder takes Bx3x64x64: "
        "resize them, or build_sam(..., image_size=...)"
    )


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(RequestError, match=r"^precision=bf61: it is one of auto, fp32, bf16, fp16"):
        encode(small(64), torch.zeros(1, 3, 64, 64), precision="bf61")


def test_adapters_that_were_never_added_are_refused() -> None:
    block = small(64).blocks[0]
    with pytest.raises(RequestError, match=r"^block 0 has no LoRA adapters: call add_lora first$"):
        Site(0, block.window_size, block.attn).attend_each(torch.zeros(1, 4, 4, 32), [None])
