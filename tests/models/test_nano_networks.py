"""The networks: sizes as stated, and our batched routes equal to the packages' own."""

from __future__ import annotations

import pytest
import torch

from bench.models.nano.memory_route import answered, encoded, set_image_size
from bench.models.nano.networks import BUILDERS, build_dino, build_sam, build_sam2, normalised
from bench.models.nano.start import settle_sam, waves
from bench.models.sam.rows import best_of_three, decode_rows
from bench.models.sam2.memory import rows_of

PARAMETERS = {"sam": 3_252_864, "sam2": 2_071_906, "dino": 2_312_640}


@pytest.mark.parametrize("which", BUILDERS)
def test_parameter_count(which: str) -> None:
    assert sum(p.numel() for p in BUILDERS[which]().parameters()) == PARAMETERS[which]


def test_all_weights_together_stay_under_16_megabytes_in_half_precision() -> None:
    total = 0
    for build in BUILDERS.values():
        total += sum(2 * value.numel() for value in build().state_dict().values())
    assert total < 16e6


def test_hiera_global_blocks_never_open_a_stage() -> None:
    trunk = build_sam2().image_encoder.trunk
    assert not set(trunk.q_pool_blocks) & set(trunk.global_att_blocks)
    assert len(trunk.q_pool_blocks) == 3


def test_normalisation_gives_three_channels_of_the_usual_statistics() -> None:
    image = torch.full((1, 1, 2, 2), 0.5)
    in_255 = normalised(image, "sam")[0, :, 0, 0]
    assert in_255.tolist() == pytest.approx(
        [(127.5 - 123.675) / 58.395, (127.5 - 116.28) / 57.12, (127.5 - 103.53) / 57.375],
        abs=1e-5,
    )
    unit = normalised(image, "dino")[0, :, 0, 0]
    assert unit.tolist() == pytest.approx(
        [(0.5 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.5 - 0.406) / 0.225], abs=1e-5
    )


def test_batched_decoding_equals_the_packages_decoder_one_image_at_a_time() -> None:
    torch.manual_seed(0)
    sam = build_sam().eval()
    with torch.inference_mode():
        features = sam.image_encoder(torch.randn(3, 3, 128, 128))
        points = (torch.rand(3, 1, 2) * 127, torch.ones(3, 1))
        sparse, dense = sam.prompt_encoder(points=points, boxes=None, masks=None)
        masks, quality = decode_rows(sam, features, sparse, dense)
        assert masks.shape == (3, 4, 64, 64)
        for n in range(3):
            one, rating = sam.mask_decoder(
                image_embeddings=features[n : n + 1],
                image_pe=sam.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse[n : n + 1],
                dense_prompt_embeddings=dense[n : n + 1],
                multimask_output=True,
            )
            torch.testing.assert_close(masks[n, 1:], one[0], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(quality[n, 1:], rating[0], rtol=1e-4, atol=1e-5)


def test_chosen_mask_is_the_best_rated_of_the_three_ambiguity_masks() -> None:
    masks = torch.arange(8.0).view(2, 4, 1, 1)
    quality = torch.tensor([[9.0, 0.1, 0.8, 0.3], [9.0, 0.5, 0.2, 0.7]])
    assert best_of_three(masks, quality).flatten().tolist() == [2.0, 7.0]


def test_a_tied_start_makes_a_point_look_at_its_own_place() -> None:
    torch.manual_seed(0)
    sam = build_sam().eval()
    settle_sam(sam)
    attention = sam.mask_decoder.transformer.final_attn_token_to_image
    place = sam.prompt_encoder.get_dense_pe()[0].flatten(1).T
    query, key = attention.q_proj(place), attention.k_proj(place)
    key = key - attention.k_proj.bias
    query = query - attention.q_proj.bias
    assert (query @ key.T).argmax(dim=1).eq(torch.arange(256)).float().mean() > 0.95


def test_position_waves_tell_every_place_from_every_other() -> None:
    codes = waves(16, 192).flatten(0, 2)
    gap = torch.cdist(codes, codes) + 99 * torch.eye(256)
    assert gap.min() > 0.5


@torch.inference_mode()
def test_objects_in_a_batch_do_not_see_each_other() -> None:
    torch.manual_seed(0)
    net = build_sam2().eval()
    features = encoded(net, torch.randn(4, 3, 256, 256))
    masks = torch.rand(2, 2, 1, 256, 256) > 0.5
    both = answered(net, features, masks)
    second = answered(net, rows_of(features, torch.tensor([2, 3])), masks[1:, 1:])
    torch.testing.assert_close(both.masks[3:], second.masks, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_image_size_can_change_and_change_back() -> None:
    torch.manual_seed(0)
    net = build_sam2().eval()
    images, mask = torch.randn(2, 3, 256, 256), torch.ones(1, 1, 1, 256, 256, dtype=torch.bool)
    before = answered(net, encoded(net, images), mask).masks
    set_image_size(net, 128)
    small = answered(net, encoded(net, images[..., ::2, ::2]), mask[..., ::2, ::2]).masks
    assert small.shape[-1] == 32
    set_image_size(net, 256)
    torch.testing.assert_close(answered(net, encoded(net, images), mask).masks, before)


@torch.inference_mode()
def test_dino_takes_crops_of_other_sizes() -> None:
    net = build_dino().eval()
    assert net(torch.randn(2, 3, 128, 128)).shape == (2, 192)
    assert net(torch.randn(2, 3, 48, 48)).shape == (2, 192)
