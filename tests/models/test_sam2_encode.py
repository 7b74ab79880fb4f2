"""`encode` against the `sam2` package's own encoder: values, gradients, windows, hooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.hooks import Hooks
from bench.models.sam2 import encode as module
from bench.models.sam2.encode import Features, encode, sites
from bench.models.sam2.site import Site
from tests.models.sam2_parts import apart, packaged, random_sam2


def maps(features: Features) -> list[Tensor]:
    return [features.s4, features.s8, features.s16]


def ours(sam2: Any) -> Callable[[Tensor], list[Tensor]]:
    return lambda images: maps(encode(sam2, images))


def gradients(
    sam2: Any, call: Callable[[Tensor], Sequence[Tensor]], images: Tensor
) -> list[Tensor]:
    """Of a random projection of the maps, for all that lies on the way to them."""
    images = images.clone().requires_grad_()
    generator = torch.Generator().manual_seed(3)
    total = sum((out * torch.randn(out.shape, generator=generator)).sum() for out in call(images))
    decoder = sam2.sam_mask_decoder
    way = nn.ModuleList([sam2.image_encoder, decoder.conv_s0, decoder.conv_s1])
    wanted = [p for p in way.parameters() if p.requires_grad]
    assert isinstance(total, Tensor)
    return list(torch.autograd.grad(total, [images, *wanted]))


def no_grad(sam2: Any) -> Any:
    return sam2.requires_grad_(False)


# 128: whole windows in nano; 96 and 160: padded ones in its last two stages. Tiny: padded in both.
@pytest.mark.parametrize(
    ("name", "size", "batch"),
    [("nano", 128, 2), ("nano", 96, 3), ("nano", 160, 1), ("hiera_tiny", 512, 1)],
)
def test_values_are_those_of_the_package(name: str, size: int, batch: int) -> None:
    sam2 = no_grad(random_sam2(name, size))
    images = torch.randn(batch, 3, size, size)
    found, expected = encode(sam2, images), packaged(sam2, images)
    width = sam2.hidden_dim
    assert found.s4.shape == (batch, width // 8, size // 4, size // 4)
    assert found.s8.shape == (batch, width // 4, size // 8, size // 8)
    assert found.s16.shape == (batch, width, size // 16, size // 16)
    for each, theirs in zip(maps(found), expected, strict=True):
        assert apart(each, theirs) < 1e-5
        assert each.is_contiguous()


@pytest.mark.parametrize(("name", "size"), [("nano", 128), ("nano", 96), ("hiera_tiny", 64)])
def test_gradients_are_those_of_the_package(name: str, size: int) -> None:
    sam2 = random_sam2(name, size)
    images = torch.randn(2, 3, size, size)
    found = gradients(sam2, ours(sam2), images)
    expected = gradients(sam2, lambda x: packaged(sam2, x), images)
    parameters = [*sam2.image_encoder.parameters(), *range(4)]
    assert len(found) == 1 + len(parameters)
    assert max(map(apart, found, expected)) < 1e-5


@pytest.mark.parametrize("strip", [1, 1 << 13, 1 << 30])
def test_strips_of_any_height_give_the_same(strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STRIP", max(1, strip // torch.get_num_threads()))
    sam2 = no_grad(random_sam2("nano", 160))
    images = torch.randn(2, 3, 160, 160)
    heights: set[int] = set()
    norm = sam2.image_encoder.trunk.blocks[0].norm1
    norm.register_forward_hook(lambda *args: heights.add(args[2].shape[1]))
    found = maps(encode(sam2, images))
    assert heights == {{1: 8, 1 << 13: 8, 1 << 30: 40}[strip]}
    assert all(map(lambda a, b: apart(a, b) < 1e-5, found, packaged(sam2, images)))


def test_a_neck_that_mixes_other_levels_is_the_packages() -> None:
    sam2 = no_grad(random_sam2("nano", 64))
    sam2.image_encoder.neck.fpn_top_down_levels = [0, 1, 2, 3]
    images = torch.randn(1, 3, 64, 64)
    found = maps(encode(sam2, images))
    assert all(map(lambda a, b: apart(a, b) < 1e-5, found, packaged(sam2, images)))


def test_a_frozen_encoder_keeps_no_graph_and_its_maps_can_be_trained_on() -> None:
    sam2 = no_grad(random_sam2("nano", 64))
    for each in maps(encode(sam2, torch.randn(1, 3, 64, 64))):
        assert not each.requires_grad
        assert not each.is_inference()
        scale = torch.ones(each.shape[1], 1, 1, requires_grad=True)
        (each * scale).sum().backward()
        torch.testing.assert_close(scale.grad, each.sum((0, 2, 3))[:, None, None])


def test_only_what_lies_on_the_way_keeps_a_graph() -> None:
    sam2 = random_sam2("nano", 64)
    images = torch.randn(1, 3, 64, 64)
    assert all(each.requires_grad for each in maps(encode(sam2, images)))
    with torch.no_grad():
        assert not any(each.requires_grad for each in maps(encode(sam2, images)))
    sam2.image_encoder.requires_grad_(False)
    sam2.sam_mask_decoder.conv_s0.requires_grad_(False)
    # Its memory and the rest of its decoder are trainable still.
    assert [each.requires_grad for each in maps(encode(sam2, images))] == [False, True, False]


def test_bf16_is_close_and_returns_fp32_and_auto_is_fp32_on_a_cpu() -> None:
    sam2 = no_grad(random_sam2("nano", 96))
    images = torch.randn(1, 3, 96, 96)
    exact = maps(encode(sam2, images))
    rough = maps(encode(sam2, images, precision="bf16"))
    with torch.autocast("cpu", torch.bfloat16):
        theirs = packaged(sam2, images)
    for each, near, package in zip(exact, rough, theirs, strict=True):
        assert near.dtype == torch.float32
        assert 1e-4 < apart(near, each) < 0.05
        assert apart(near, each) < 1.5 * apart(package.float(), each)
    same = maps(encode(sam2, images, precision="fp32"))
    assert all(map(torch.equal, exact, same))


def test_hooks_that_change_nothing_change_nothing() -> None:
    sam2 = no_grad(random_sam2("nano", 96))
    images = torch.randn(2, 3, 96, 96)
    seen: list[tuple[int, int, int]] = []

    def attend(site: Site, x: Tensor) -> Tensor:
        seen.append((site.block, site.window, site.side))
        out = site.attend(x)
        assert out.shape[-1] == site.width
        return out

    hooked = maps(encode(sam2, images, hooks=Hooks(attend=attend, after=lambda _, x: x)))
    plain = maps(encode(sam2, images))
    assert all(map(lambda a, b: apart(a, b) < 1e-6, hooked, plain))
    # Stages of 1, 2, 4 and 1 blocks with windows of 8, 4, 8 and 4. The first block of a stage has
    # the window of the stage before, halved by its pooling.
    assert [window for _, window, _ in seen] == [8, 8, 4, 4, 0, 8, 0, 8]
    assert [side for _, _, side in seen] == [8, 4, 4, 2, 0, 8, 0, 4]
    assert [(site.block, site.window, site.side) for site in sites(sam2)] == seen


def test_what_a_hook_returns_is_what_the_next_block_and_the_neck_get() -> None:
    sam2 = no_grad(random_sam2("nano", 64))
    images = torch.randn(1, 3, 64, 64)
    blocks = sam2.image_encoder.trunk.blocks
    outputs: list[Tensor] = []
    modules = [each.register_forward_hook(lambda *a: outputs.append(a[2])) for each in blocks]
    packaged(sam2, images)
    for each in modules:
        each.remove()
    kept: list[Tensor] = []

    def after(block: int, x: Tensor) -> Tensor:
        kept.append(x)
        return x if block < len(blocks) - 1 else torch.zeros_like(x)

    ended = encode(sam2, images, hooks=Hooks(after=after))
    assert all(apart(mine, theirs) < 1e-5 for mine, theirs in zip(kept, outputs, strict=True))
    # Stage 3 ends with block 6; of stage 4 only its projection's bias is left.
    neck = sam2.image_encoder.neck
    expected = neck.convs[1](outputs[6].permute(0, 3, 1, 2))
    expected = expected + neck.convs[0].conv.bias[:, None, None]
    assert apart(ended.s16, expected) < 1e-5


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 64, 96), (0, 3, 64, 64)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(RequestError) as caught:
        encode(random_sam2("nano", 64), torch.zeros(shape))
    assert str(caught.value) == (
        f"images of shape {'x'.join(map(str, shape))}; this encoder takes Bx3x64x64: "
        "resize them, or build_sam2(..., image_size=...)"
    )


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(RequestError, match=r"^precision=bf61: it is one of auto, fp32, bf16, fp16"):
        encode(random_sam2("nano", 64), torch.zeros(1, 3, 64, 64), precision="bf61")  # type: ignore[arg-type]
