"""SAM 2's prompt-free decoder: numbers, the package's own pass, what is new and what is kept."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.errors import RequestError
from bench.models.checkpoints import card_of
from bench.models.sam2 import make_sam2
from bench.models.sam2.decoder import PromptFreeDecoder
from bench.models.sam2.encode import Features, encode
from tests.models.sam2_parts import random_sam2

NEW = ("mask_tokens", "output_hypernetworks_mlps", "iou_prediction_head")


@pytest.fixture
def sam2() -> Any:
    """64 px: maps of 16, 8 and 4 cells a side, width 64."""
    return random_sam2("nano", 64).requires_grad_(False)


def random_features(batch: int) -> Features:
    sides = {"s4": (8, 16), "s8": (16, 8), "s16": (64, 4)}
    return Features(**{name: torch.randn(batch, c, n, n) for name, (c, n) in sides.items()})


def one(features: Features, number: int) -> Features:
    return Features(**{name: value[number : number + 1] for name, value in vars(features).items()})


def numbers(module: nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())


def package(sam2: Any, decoder: Any, features: Features) -> tuple[Tensor, ...]:
    """The package's own pass of this mask decoder for one image: a first frame, nothing asked."""
    flat = [value.flatten(2).permute(2, 0, 1) for value in vars(features).values()]
    image = sam2._prepare_memory_conditioned_features(
        frame_idx=0,
        is_init_cond_frame=True,
        current_vision_feats=flat[-1:],
        current_vision_pos_embeds=[torch.zeros_like(flat[-1])],
        feat_sizes=[tuple(features.s16.shape[-2:])],
        output_dict={},
        num_frames=1,
    )
    sparse, dense = sam2.sam_prompt_encoder(points=None, boxes=None, masks=None)
    return decoder.predict_masks(
        image_embeddings=image,
        image_pe=sam2.sam_prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        repeat_image=False,
        high_res_features=[features.s4, features.s8],
    )


# SAM's decoder for as many classes has 4,759,945 and 3,777,698. SAM 2's has a token and a head more
# for the object score: 256, and 2 x (256 x 256 + 256) + 256 + 1.
@pytest.mark.parametrize(("classes", "sams"), [(8, 4_759_945), (1, 3_777_698)])
def test_numbers_of_parameters_are_sams_and_the_object_scores(classes: int, sams: int) -> None:
    sam2 = make_sam2(card_of("sam2", "hiera_tiny"), image_size=32)
    decoder = PromptFreeDecoder(sam2, classes=classes)
    assert numbers(decoder.mask_decoder) == sams + 256 + 2 * (256 * 256 + 256) + 256 + 1
    assert numbers(decoder) == numbers(decoder.mask_decoder) + 256


@pytest.mark.parametrize("classes", [1, 3])
def test_each_image_of_a_batch_gets_what_the_package_gives_it_alone(
    sam2: Any, classes: int
) -> None:
    decoder = PromptFreeDecoder(sam2, classes=classes).eval()
    features = random_features(3)
    found = decoder.decode(features)
    assert found.logits.shape == (3, classes + 1, 16, 16)
    assert found.tokens.shape == (3, classes + 1, 64)
    assert found.upscaled.shape == (3, 8, 16, 16)
    assert torch.equal(decoder(features), found.logits)
    for number in range(3):
        expected = package(sam2, decoder.mask_decoder, one(features, number))
        mine = (found.logits, found.iou, found.tokens, found.present)
        for value, theirs in zip(mine, expected, strict=True):
            torch.testing.assert_close(value[number], theirs[0], rtol=1e-4, atol=1e-5)


def test_with_sam_2s_own_tokens_it_is_sam_2s_decoder(sam2: Any) -> None:
    """From the image on, with the package's encoder on one side and ours on the other."""
    decoder = PromptFreeDecoder(sam2, classes=3).eval()  # SAM 2 has four mask tokens
    left = decoder.mask_decoder.load_state_dict(sam2.sam_mask_decoder.state_dict(), strict=False)
    assert not left.missing_keys
    assert all(key.startswith(("conv_s0", "conv_s1")) for key in left.unexpected_keys)
    images = torch.randn(1, 3, 64, 64)
    found = decoder(encode(sam2, images))
    theirs = Features(*sam2.forward_image(images)["backbone_fpn"])
    expected, *_ = package(sam2, sam2.sam_mask_decoder, theirs)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert expected.std() > 0


def test_inner_values_are_those_that_make_the_logits(sam2: Any) -> None:
    decoder = PromptFreeDecoder(sam2, classes=2).eval()
    found = decoder.decode(random_features(2))
    weights = decoder.mask_decoder.output_hypernetworks_mlps[1](found.tokens[:, 1])
    expected = (weights[:, :, None, None] * found.upscaled).sum(1)
    torch.testing.assert_close(found.logits[:, 1], expected, rtol=1e-4, atol=1e-5)


def test_what_depends_on_the_number_of_classes_is_new_and_the_rest_is_sam_2s(sam2: Any) -> None:
    torch.manual_seed(1)
    decoder = PromptFreeDecoder(sam2, classes=3)  # as many tokens as SAM 2 has: shapes tell nothing
    source = sam2.sam_mask_decoder.state_dict()
    state = decoder.mask_decoder.state_dict()
    for name, value in state.items():
        assert torch.equal(value, source[name]) == (not name.startswith(NEW)), name
    projections = {f"conv_s{n}.{part}" for n in (0, 1) for part in ("weight", "bias")}
    assert source.keys() - state.keys() == projections


def test_iou_is_a_share_as_in_sam_2(sam2: Any) -> None:
    decoder = PromptFreeDecoder(sam2, classes=2)
    with torch.no_grad():
        decoder.mask_decoder.iou_prediction_head.layers[-1].bias.fill_(50.0)
    assert torch.equal(decoder.decode(random_features(1)).iou, torch.ones(1, 3))


def test_all_is_trained_but_the_prompt_only_if_wanted_and_sam_2_never(sam2: Any) -> None:
    before = {name: value.clone() for name, value in sam2.state_dict().items()}
    for train_prompt in (True, False):
        decoder = PromptFreeDecoder(sam2, classes=2, train_prompt=train_prompt)
        assert decoder.training
        optimiser = torch.optim.SGD([p for p in decoder.parameters() if p.requires_grad], lr=0.1)
        start = {name: value.clone() for name, value in decoder.named_parameters()}
        found = decoder.decode(random_features(2))
        wanted = (found.logits, found.iou, found.present)
        sum(value.square().mean() for value in wanted).backward()  # type: ignore[union-attr]
        optimiser.step()
        still = {n for n, value in decoder.named_parameters() if torch.equal(value, start[n])}
        assert ("no_mask_embed.weight" in still) == (not train_prompt)
        # A key's bias moves all scores of a query alike: its slope is zero, but for rounding.
        assert all(n == "no_mask_embed.weight" or n.endswith("k_proj.bias") for n in still), still
    assert all(torch.equal(value, before[name]) for name, value in sam2.state_dict().items())
    assert not any(value.requires_grad for value in sam2.parameters())


def test_gradients_reach_all_three_maps(sam2: Any) -> None:
    decoder = PromptFreeDecoder(sam2, classes=1)
    features = random_features(2)
    values = [getattr(features, field.name).requires_grad_() for field in fields(features)]
    slopes = torch.autograd.grad(decoder(features).square().mean(), values)
    assert all(slope.abs().amax((1, 2, 3)).min() > 0 for slope in slopes)


def test_state_loads_into_a_decoder_of_the_same_sam_2(sam2: Any) -> None:
    first, second = (PromptFreeDecoder(sam2, classes=2).eval() for _ in range(2))
    features = random_features(1)
    assert not torch.equal(first(features), second(features))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(features), second(features))


def test_a_decoder_without_classes_is_refused(sam2: Any) -> None:
    with pytest.raises(RequestError) as caught:
        PromptFreeDecoder(sam2, classes=0)
    assert str(caught.value) == "a decoder for 0 classes: give at least one"
