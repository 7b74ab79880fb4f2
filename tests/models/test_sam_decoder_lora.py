"""LoRA in the decoder's transformer: where, how many, and nothing at the start."""

from __future__ import annotations

import torch

from bench.models.checkpoints import card_of
from bench.models.sam import make_sam
from bench.models.sam.decoder import PromptFreeDecoder
from bench.models.sam.decoder_lora import add_decoder_lora


def test_number_on_vit_b() -> None:
    """q and v of self-attention (256 -> 256) and two cross-attentions (256 -> 128) in each of two
    blocks, and of the last look (256 -> 128); a rank has in + out numbers."""
    with torch.device("meta"):
        sam = make_sam(card_of("sam", "vit_b"), image_size=512)
        decoder = PromptFreeDecoder(sam, classes=8)
        transformer = decoder.mask_decoder.transformer
        before = sum(value.numel() for value in transformer.parameters())
        add_decoder_lora(transformer, rank=4)
    learned = [value for value in transformer.parameters() if value.requires_grad]
    blocks = 2 * (2 * (256 + 256) + 2 * 2 * (256 + 128))
    assert sum(value.numel() for value in learned) == 4 * (blocks + 2 * (256 + 128)) == 23_552
    assert sum(value.numel() for value in transformer.parameters()) == before + 23_552


def test_it_changes_nothing_at_the_start_and_learns() -> None:
    torch.manual_seed(0)
    sam = make_sam(card_of("sam", "nano"), image_size=64)
    decoder = PromptFreeDecoder(sam, classes=1)
    given = torch.randn(1, 128, 8, 8)
    before = decoder(given)
    add_decoder_lora(decoder.mask_decoder.transformer, rank=2)
    after = decoder(given)
    torch.testing.assert_close(after, before)
    after.square().mean().backward()
    for name, value in decoder.mask_decoder.transformer.named_parameters():
        assert value.requires_grad == (".lora_" in name), name
        if ".lora_B" in name and ".q_proj." not in name:
            assert (value.grad != 0).any(), name  # type: ignore[union-attr]
    up = decoder.mask_decoder.output_upscaling[0].weight
    assert up.requires_grad


def test_it_is_added_without_a_factor() -> None:
    torch.manual_seed(0)
    transformer = make_sam(card_of("sam", "nano"), image_size=64).mask_decoder.transformer
    plain = transformer.layers[0].self_attn.v_proj
    add_decoder_lora(transformer, rank=3)
    layer = transformer.layers[0].self_attn.v_proj
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    with torch.no_grad():
        b.normal_()
    x = torch.randn(5, 128)
    torch.testing.assert_close(layer(x), plain(x) + x @ a.T @ b.T)
