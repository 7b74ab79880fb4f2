"""The prompt-free decoder: numbers, the package's own pass, what is new and what is kept."""

from __future__ import annotations

import pytest
import torch
from segment_anything.modeling import Sam
from torch import nn

from bench.errors import RequestError
from bench.models.checkpoints import card_of
from bench.models.sam import make_sam
from bench.models.sam.decoder import PromptFreeDecoder


@pytest.fixture
def sam() -> Sam:
    torch.manual_seed(0)
    return make_sam(card_of("sam", "nano")).eval().requires_grad_(False)


def numbers(module: nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())


@pytest.mark.parametrize(("classes", "expected"), [(8, 4_759_945), (1, 3_777_698)])
def test_numbers_of_parameters_are_those_of_the_specification(classes: int, expected: int) -> None:
    sam = make_sam(card_of("sam", "vit_b"), image_size=16)
    decoder = PromptFreeDecoder(sam, classes=classes)
    assert numbers(decoder.mask_decoder) == expected
    assert numbers(decoder) == expected + 256


@pytest.mark.parametrize("classes", [1, 3])
def test_each_image_of_a_batch_gets_what_the_package_gives_it_alone(sam: Sam, classes: int) -> None:
    decoder = PromptFreeDecoder(sam, classes=classes).eval()
    embeddings = torch.randn(3, 128, 16, 16)
    found = decoder.decode(embeddings)
    assert found.logits.shape == (3, classes + 1, 64, 64)
    assert found.tokens.shape == (3, classes + 1, 128)
    assert found.upscaled.shape == (3, 16, 64, 64)
    assert torch.equal(decoder(embeddings), found.logits)
    sparse, dense = sam.prompt_encoder(points=None, boxes=None, masks=None)
    for number, embedding in enumerate(embeddings):
        logits, iou = decoder.mask_decoder.predict_masks(
            image_embeddings=embedding[None],
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
        )
        torch.testing.assert_close(found.logits[number], logits[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found.iou[number], iou[0], rtol=1e-4, atol=1e-5)


def test_inner_values_are_those_that_make_the_logits(sam: Sam) -> None:
    decoder = PromptFreeDecoder(sam, classes=2).eval()
    found = decoder.decode(torch.randn(2, 128, 16, 16))
    torch.testing.assert_close(decoder.mask_decoder.output_upscaling(found.image), found.upscaled)
    weights = decoder.mask_decoder.output_hypernetworks_mlps[1](found.tokens[:, 1])
    expected = (weights[:, :, None, None] * found.upscaled).sum(1)
    torch.testing.assert_close(found.logits[:, 1], expected, rtol=1e-4, atol=1e-5)


def test_what_depends_on_the_number_of_classes_is_new_and_the_rest_is_sams(sam: Sam) -> None:
    torch.manual_seed(1)
    decoder = PromptFreeDecoder(sam, classes=3)  # as many tokens as SAM has: shapes tell nothing
    source = sam.mask_decoder.state_dict()
    new = ("mask_tokens", "output_hypernetworks_mlps", "iou_prediction_head")
    for name, value in decoder.mask_decoder.state_dict().items():
        assert torch.equal(value, source[name]) == (not name.startswith(new)), name


def test_all_is_trained_but_the_prompt_only_if_wanted_and_sam_never(sam: Sam) -> None:
    before = {name: value.clone() for name, value in sam.state_dict().items()}
    for train_prompt in (True, False):
        decoder = PromptFreeDecoder(sam, classes=2, train_prompt=train_prompt)
        assert decoder.training
        optimiser = torch.optim.SGD([p for p in decoder.parameters() if p.requires_grad], lr=0.1)
        start = {name: value.clone() for name, value in decoder.named_parameters()}
        found = decoder.decode(torch.randn(2, 128, 16, 16))
        (found.logits.square().mean() + found.iou.square().mean()).backward()
        optimiser.step()
        still = {n for n, value in decoder.named_parameters() if torch.equal(value, start[n])}
        assert ("no_mask_embed.weight" in still) == (not train_prompt)
        # A key's bias moves all scores of a query alike: its slope is zero, but for rounding.
        assert all(n == "no_mask_embed.weight" or n.endswith("k_proj.bias") for n in still), still
    assert all(torch.equal(value, before[name]) for name, value in sam.state_dict().items())
    assert not any(value.requires_grad for value in sam.parameters())


def test_state_loads_into_a_decoder_of_the_same_sam(sam: Sam) -> None:
    one, two = (PromptFreeDecoder(sam, classes=2).eval() for _ in range(2))
    embeddings = torch.randn(1, 128, 16, 16)
    assert not torch.equal(one(embeddings), two(embeddings))
    two.load_state_dict(one.state_dict())
    assert torch.equal(one(embeddings), two(embeddings))


def test_a_decoder_without_classes_is_refused(sam: Sam) -> None:
    with pytest.raises(RequestError) as caught:
        PromptFreeDecoder(sam, classes=0)
    assert str(caught.value) == "a decoder for 0 classes: give at least one"
