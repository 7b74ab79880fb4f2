"""From slices to what an encoder takes, and on to embeddings with LoRA."""

from __future__ import annotations

import pytest
import torch

from bench.errors import RequestError
from bench.models.checkpoints import card_of
from bench.models.checkpoints.normalise import normalise
from bench.models.sam import make_sam
from bench.models.sam.encoder import encode
from bench.models.sam.entry import sam_entry
from bench.models.sam.lora_encoder import LoraEncoder


@pytest.mark.parametrize(
    ("name", "size"),
    [("vit_b", 512), ("vit_h", 512), ("nano", 64), ("nano_untrained", 64)],
)
def test_auto_is_512_at_most_and_half_of_a_small_ones_own(name: str, size: int) -> None:
    assert sam_entry(card_of("sam", name)).size == size


def test_a_size_is_taken_as_given() -> None:
    card = card_of("sam", "vit_b")
    assert sam_entry(card, image_size=224).size == 224
    assert sam_entry(card, image_size=1024).size == 1024


@pytest.mark.parametrize(
    ("name", "values", "normalised"),
    [
        ("vit_b", "auto", False),  # SAMed: mean 0 and deviation 1
        ("vit_b", "checkpoint", True),
        ("nano", "auto", True),
        ("nano", "unit", False),
    ],
)
def test_which_values_enter(name: str, values: str, normalised: bool) -> None:
    card = card_of("sam", name)
    images = torch.rand(2, 1, 4, 4)
    found = sam_entry(card, values=values)(images)
    grey = images.repeat(1, 3, 1, 1)
    assert torch.equal(found, normalise(grey, card) if normalised else grey)
    if normalised:  # SAM's own numbers, of images up to 255
        expected = (images[:, 0] * 255 - 116.28) / 57.12
        torch.testing.assert_close(found[:, 1], expected, rtol=1e-4, atol=1e-5)


def test_unknown_values_are_refused() -> None:
    with pytest.raises(RequestError) as caught:
        sam_entry(card_of("sam", "nano"), values="zscore")
    assert str(caught.value) == (
        "unknown kind of input values 'zscore'; known: auto, checkpoint, unit"
    )


def test_the_encoder_with_lora_is_the_plain_one_at_first_and_learns_by_lora_alone() -> None:
    card = card_of("sam", "nano")
    torch.manual_seed(0)
    plain = make_sam(card, image_size=64).image_encoder.eval()
    torch.manual_seed(0)
    entry = sam_entry(card, image_size=64)
    encoder = LoraEncoder(make_sam(card, image_size=64).image_encoder, entry, rank=2)
    images = torch.rand(2, 1, 64, 64)
    found = encoder(images)
    torch.testing.assert_close(found, encode(plain, entry(images)))
    found.square().mean().backward()
    learned = {name for name, value in encoder.named_parameters() if value.requires_grad}
    assert len(learned) == 6 * 3  # a block: A of q and v in one, two B
    assert all(".lora_" in name for name in learned)
    assert all(value.grad is None for n, value in encoder.named_parameters() if n not in learned)
