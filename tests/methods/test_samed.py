"""SAMed by hand: its numbers, its recipe, its loss, and that it learns."""

from __future__ import annotations

import pytest
import torch

from bench.models.checkpoints import card_of
from bench.models.sam import make_sam
from bench.models.sam.decoder import PromptFreeDecoder
from bench.models.sam.entry import sam_entry
from bench.models.sam.lora_encoder import LoraEncoder
from bench.train.losses import cross_entropy_squared_dice
from bench.train.slicewise import labels_at
from tests.methods.sam_tiny import sam_method
from tests.methods.test_unet import squares
from tests.methods.tiny import adapt, blind, dice


@pytest.mark.parametrize(("classes", "decoder"), [(8, 4_759_945), (1, 3_777_698)])
def test_numbers_of_parameters_on_vit_b(classes: int, decoder: int) -> None:
    """LoRA of rank 4, the decoder and the vector for "no mask": 4.91 million for eight classes."""
    card = card_of("sam", "vit_b")
    with torch.device("meta"):
        sam = make_sam(card, image_size=512)
        network = torch.nn.Sequential(
            LoraEncoder(sam.image_encoder, sam_entry(card), rank=4),
            PromptFreeDecoder(sam, classes=classes),
        )
    trained = sum(value.numel() for value in network.parameters() if value.requires_grad)
    assert trained == 147_456 + decoder + 256
    whole = sum(value.numel() for value in network.parameters())
    assert whole - trained == 87_278_848  # the encoder at 512 px


def test_it_learns_two_squares() -> None:
    """On slices that it has not seen."""
    method = sam_method("samed")
    adapt(method, [squares(8)], steps=60, classes=2)
    given = squares(seed=1)
    assert given.label is not None
    prediction = method.predict(blind(given))
    assert dice(prediction, given.label, 1) > 0.85
    assert dice(prediction, given.label, 2) > 0.85


def test_the_published_recipe_and_the_short_one() -> None:
    recipe = sam_method("samed", batch="auto").recipe
    assert (recipe.batch, recipe.epochs, recipe.planned, recipe.warm_up) == (24, 160, 200, 250)
    short = sam_method("samed", batch="auto", recipe="short").recipe
    assert (short.epochs, short.planned or short.epochs, short.warm_up) == (20, 20, 25)
    own = sam_method("samed", epochs=3, warm_up=7).recipe
    assert (own.epochs, own.planned, own.warm_up, own.batch) == (3, 3, 7, 4)


def test_without_a_budget_its_recipe_ends() -> None:
    reports = adapt(sam_method("samed", epochs=2), [squares(6)], classes=2)
    assert [(r.samples, r.epoch) for r in reports] == [(4, False), (4, True)] * 2


def test_the_loss_is_on_the_decoders_own_grid() -> None:
    method = sam_method("samed", dice_weight=0.3)
    images = torch.rand(2, 1, 64, 64)
    labels = torch.randint(0, 3, (2, 64, 64)).to(torch.uint8)
    labels[:, :9] = 255
    logits = method.network(images)
    assert logits.shape == (2, 3, 32, 32)  # four times an embedding of patches of 8 px
    expected = cross_entropy_squared_dice(logits, labels_at(labels, logits), dice_weight=0.3)
    torch.testing.assert_close(method._loss(images, labels, 0.5), expected)
    assert method._loss(images, labels, 0.5) != sam_method("samed")._loss(images, labels, 0.5)


def test_the_small_variant_freezes_the_decoders_transformer() -> None:
    """SAMed_s: what is trained of the transformer is LoRA; the rest of the decoder as before."""
    state = sam_method("samed", lora_decoder=True).state_dict()
    inside = [name for name in state if ".transformer." in name]
    assert len(inside) == 2 * 2 * (2 * 3 + 1)  # A and B of q and v: two blocks of three, the last
    assert all(".lora_" in name for name in inside)
    assert any("output_upscaling" in name for name in state)
    adapt(sam_method("samed", lora_decoder=True), [squares()], steps=2, classes=2)
