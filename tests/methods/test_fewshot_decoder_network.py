"""The prompted decoder: the package's own where nothing is changed, and its invariances."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from segment_anything.modeling import Sam
from torch import Tensor

from bench.errors import RequestError
from bench.models.checkpoints import card_of
from bench.models.sam import build_sam, make_sam
from bench.models.trained import trained_state
from methods.fewshot_decoder.decoder import PADDING, TargetDecoder


@pytest.fixture(scope="module")
def sam() -> Sam:
    return build_sam(card_of("sam", "nano"), image_size=64)


def network(sam: Sam, **changes: Any) -> TargetDecoder:
    torch.manual_seed(0)
    made = TargetDecoder(sam, **{"classes": 3, **changes}).eval()
    with torch.no_grad():
        made.types.normal_()  # as after a training
    return made


def rows(count: int = 4, tokens: int = 6) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images, classes, tokens and kinds; the second row has two tokens, one of them of the ring."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(count, 128, 8, 8, generator=generator)
    prompts = torch.randn(count, tokens, 128, generator=generator)
    kinds = torch.zeros(count, tokens, dtype=torch.long)
    kinds[1, 1] = 1
    kinds[1, 2:] = PADDING
    return images, torch.arange(count) % 3, prompts, kinds


@torch.inference_mode()
def test_untrained_it_is_the_packages_decoder(sam: Sam) -> None:
    """With all of SAM's tokens in the sequence and type vectors of 0: mask 0 of the package, one
    image after the other."""
    made = TargetDecoder(sam, classes=3, all_tokens=True).eval()
    images, classes, tokens, kinds = rows()
    kinds[:] = 0
    found = made(images, classes, tokens, kinds)
    dense = sam.prompt_encoder.no_mask_embed.weight.view(1, -1, 1, 1).expand(1, -1, 8, 8)
    for row in range(4):
        expected, _ = sam.mask_decoder(
            image_embeddings=images[row : row + 1],
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=tokens[row : row + 1],
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        torch.testing.assert_close(found[row], expected[0, 0], rtol=1e-3, atol=1e-4)
    alone = TargetDecoder(sam, classes=3).eval()(images, classes, tokens, kinds)
    assert not torch.allclose(alone, found, atol=1e-2)  # fewer tokens, other masks


@torch.inference_mode()
@pytest.mark.parametrize("per_class", [False, True])
def test_batched_equals_one_by_one(sam: Sam, per_class: bool) -> None:
    made = network(sam, per_class=per_class)
    if per_class:
        for decoder in made.decoders:
            decoder.mask_token.normal_()
    images, classes, tokens, kinds = rows()
    together = made(images, classes, tokens, kinds)
    for row in range(4):
        count = int((kinds[row] != PADDING).sum())
        part = slice(row, row + 1)
        alone = made(images[part], classes[part], tokens[part, :count], kinds[part, :count])
        torch.testing.assert_close(together[part], alone, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_the_order_of_the_shots_does_not_matter(sam: Sam) -> None:
    made = network(sam)
    images, classes, tokens, kinds = rows()
    order = torch.tensor([3, 5, 0, 4, 1, 2])
    first = made(images, classes, tokens, kinds)
    torch.testing.assert_close(
        made(images, classes, tokens[:, order], kinds[:, order]), first, rtol=1e-4, atol=1e-4
    )
    swapped = tokens.flip(dims=(0,))  # but which image they are given to does
    assert not torch.allclose(made(images, classes, swapped, kinds), first, atol=1e-2)


@torch.inference_mode()
def test_the_types_of_tokens_are_added(sam: Sam) -> None:
    """Row 1 has one of each kind; padding gets none."""
    made = network(sam)
    images, classes, tokens, kinds = rows()
    plain = network(sam)
    plain.types.zero_()
    by_hand = tokens.clone()
    by_hand[kinds == 0] += made.types[0]
    by_hand[kinds == 1] += made.types[1]
    torch.testing.assert_close(
        made(images, classes, tokens, kinds), plain(images, classes, by_hand, kinds)
    )


def test_at_the_start_all_types_are_zero(sam: Sam) -> None:
    assert not TargetDecoder(sam, classes=2).types.any()


def test_numbers_of_parameters_on_vit_b() -> None:
    """About 3.5 million: transformer, upscaling, one token, one hypernetwork, two type vectors."""
    with torch.device("meta"):
        sam = make_sam(card_of("sam", "vit_b"))
        made = TargetDecoder(sam, classes=8)
        trained = sum(value.numel() for value in made.parameters() if value.requires_grad)
        each = TargetDecoder(sam, classes=8, per_class=True)
        many = sum(value.numel() for value in each.parameters() if value.requires_grad)
    decoder = 3_291_264 + 73_952 + 139_808 + 256
    assert trained == decoder + 2 * 256
    assert many == 8 * decoder + 2 * 256


def test_what_is_frozen(sam: Sam) -> None:
    """IoU token and head, the other masks' tokens and hypernetworks stay in place, untrained."""
    made = TargetDecoder(sam, classes=2)
    names = set(trained_state(made))
    assert not any("iou" in name or "mask_tokens" in name for name in names)
    hypernetworks = {name.split("mlps.")[1][0] for name in names if "hypernetworks" in name}
    assert hypernetworks == {"0"}
    theirs = made.decoders[0].mask_decoder.state_dict()
    assert theirs.keys() == sam.mask_decoder.state_dict().keys()
    assert torch.equal(theirs["mask_tokens.weight"], sam.mask_decoder.mask_tokens.weight)


@torch.inference_mode()
def test_one_decoder_each(sam: Sam) -> None:
    """A class's rows go through its own decoder, wherever they stand in the batch."""
    made = network(sam, per_class=True)
    assert len(made.decoders) == 3
    images, classes, tokens, kinds = rows()
    before = made(images, classes, tokens, kinds)
    made.decoders[1].mask_token.add_(1)
    after = made(images, classes, tokens, kinds)
    changed = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert changed == [False, True, False, False]


@torch.inference_mode()
def test_learned_tokens_take_the_place_of_targets(sam: Sam) -> None:
    made = network(sam, learned=5)
    assert made.learned is not None
    assert made.learned.shape == (3, 5, 128)
    images, classes, tokens, kinds = rows()
    found = made(images, classes, tokens, kinds)
    assert torch.equal(made(images, classes, tokens * 7, kinds), found)
    assert "types" not in trained_state(made)
    one = made(images[:1], classes[1:2], tokens[:1], kinds[:1])
    assert not torch.allclose(one, found[:1], atol=1e-3)  # each class has its own


def test_a_restart_leaves_nothing_of_the_checkpoint(sam: Sam) -> None:
    new = dict(network(sam, scratch=True).decoders[0].named_parameters())
    old = dict(network(sam).decoders[0].named_parameters())
    same = [name for name, value in new.items() if torch.equal(value, old[name])]
    assert same == []


def test_a_deeper_decoder_starts_with_the_checkpoints_blocks(sam: Sam) -> None:
    deep, plain = network(sam, depth=4), network(sam)
    layers, own = (made.decoders[0].mask_decoder.transformer.layers for made in (deep, plain))
    assert len(layers) == 4
    for mine, theirs in zip(layers[:2], own, strict=True):
        for name, value in mine.state_dict().items():
            assert torch.equal(value, theirs.state_dict()[name])
    assert all(value.requires_grad for value in layers[3].parameters())
    assert deep(*rows()).shape == (4, 32, 32)
    with pytest.raises(RequestError) as caught:
        network(sam, depth=1)
    assert str(caught.value) == "depth=1: SAM's decoder has 2 blocks, give no fewer"
