"""A block's attention in SAM 2's encoder: its windows, its adapters, and fusion in its place."""

from __future__ import annotations

import pytest
import torch

from bench.errors import RequestError
from bench.models.lora import add_lora, use_lora
from bench.models.sam2.encode import sites
from tests.models.sam2_parts import apart, random_sam2, shake


@pytest.mark.parametrize("number", range(8))
def test_windows_are_those_of_what_comes_out_and_are_joined_again(number: int) -> None:
    sam2 = random_sam2("nano", 96)
    site = sites(sam2)[number]
    grid = {0: 24, 1: 12, 2: 12}.get(number, 6 if number < 7 else 3)
    x = torch.rand(2, grid, grid, site.width) + 1
    parts, padding = site.windows(x)
    side = site.side or grid
    count = -(-grid // side)
    assert parts.shape == (2 * count**2, side, side, site.width)
    assert torch.equal(padding, (parts == 0).all(-1))
    assert int((~padding).sum()) == 2 * grid**2
    assert torch.equal(site.join(parts, (grid, grid)), x)
    assert torch.equal(parts[count**2, 0, 0], x[1, 0, 0])


@pytest.mark.parametrize("number", range(8))
def test_each_adapter_alone_is_the_packages_block_under_it(number: int) -> None:
    """Blocks that pool and change their width, with and without windows, whole and padded."""
    sam2 = random_sam2("nano", 96).requires_grad_(False)
    for name in ("image", "patch"):
        add_lora(sam2.image_encoder, name=name, learned_scale=True)
    shake(sam2)
    block = sam2.image_encoder.trunk.blocks[number]
    grid = {0: 24, 1: 24, 2: 12, 3: 12}.get(number, 6)
    x = torch.randn(2, grid, grid, block.dim)
    found = sites(sam2)[number].attend_each(block.norm1(x), [None, "image", "patch"])
    # Without what follows the attention, a block is its shortcut and the attention.
    with torch.no_grad():
        block.mlp.layers[-1].weight.zero_()
        block.mlp.layers[-1].bias.zero_()
    shortcut = x
    if block.dim != block.dim_out:
        shortcut = block.proj(block.norm1(x)).permute(0, 3, 1, 2)
        shortcut = torch.nn.functional.max_pool2d(shortcut, 2).permute(0, 2, 3, 1)
    for active, value in (([], found[0]), (["image"], found[1]), (["patch"], found[2])):
        use_lora(sam2.image_encoder, active)
        assert apart(shortcut + value, block(x)) < 1e-5
    assert apart(found[1], found[0]) > 1e-2


def test_adapters_that_were_never_added_are_refused() -> None:
    site = sites(random_sam2("nano", 64))[0]
    with pytest.raises(RequestError, match=r"^block 0 has no LoRA adapters: call add_lora first$"):
        site.attend_each(torch.zeros(1, 8, 8, 24), [None])
