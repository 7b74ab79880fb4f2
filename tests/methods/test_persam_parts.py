"""PerSAM's parts, each against the released rule written out another way."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from segment_anything import SamPredictor
from torch import Tensor

from bench.data.slices import Canvas
from bench.models.checkpoints import card_of
from bench.models.sam import build_sam
from bench.models.sam.rows import decode_rows
from bench.worker.clock import MethodClock
from methods.persam.asking import Rows, boxed, personal, personal_f, refined, three_scales, weighted
from methods.persam.guided import guided, guided_mask
from methods.persam.places import boxes_of, extremes
from methods.persam.references import spread
from methods.persam.target import cells_of, guidance, mean, mean_and_max, similarity
from methods.persam.weights import fit_weights

SIZE = 64


@cache
def sam() -> Any:
    return build_sam(card_of("sam", "nano"), image_size=SIZE)


def embedding(rows: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        return sam().image_encoder(torch.randn(rows, 3, SIZE, SIZE, generator=generator)).clone()


def test_targets_are_of_the_cells_that_show_the_mask() -> None:
    cells = torch.arange(16.0).view(1, 4, 4).repeat(3, 1, 1)
    mask = torch.zeros(16, 16, dtype=torch.bool)
    mask[0:8, 4:8] = True  # cells 1 and 5
    found = cells_of(cells, mask)
    assert found.tolist() == [[1, 1, 1], [5, 5, 5]]
    assert mean(found).tolist() == [3, 3, 3]
    assert mean_and_max(found).tolist() == [4, 4, 4]


def test_an_object_between_the_cells_has_the_one_that_it_covers_most() -> None:
    cells = torch.arange(16.0).view(1, 4, 4)
    mask = torch.zeros(16, 16, dtype=torch.bool)
    mask[8, 11] = True  # bilinear resizing looks at pixels 9 and 10 of this cell's four
    assert not (F.interpolate(mask[None, None].float(), size=(4, 4), mode="bilinear") > 0).any()
    assert cells_of(cells, mask).tolist() == [[10]]


def test_similarity_is_the_cosine() -> None:
    cells, targets = torch.randn(2, 5, 3, 4), torch.randn(2, 5)
    expected = F.cosine_similarity(cells, targets[:, :, None, None].expand_as(cells), dim=1)
    torch.testing.assert_close(similarity(cells, targets), expected)


def test_guidance_is_standardised_over_the_image_and_squashed() -> None:
    similar = torch.randn(2, 4, 4)
    whole = guidance(similar, (4, 4))
    expected = [torch.sigmoid((each - each.mean()) / torch.std(each)) for each in similar]
    torch.testing.assert_close(whole, torch.stack(expected).flatten(1))
    padded = guidance(similar, (3, 4)).view(2, 4, 4)
    torch.testing.assert_close(padded[:, :3].flatten(1), guidance(similar[:, :3], (3, 4)))
    assert (padded[:, 3] == padded[:, :3].flatten(1).min(dim=1).values[:, None]).all()
    assert torch.isfinite(guidance(torch.ones(1, 4, 4), (4, 4))).all()


@torch.inference_mode()
def test_the_guided_transformer_is_the_packages_with_two_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The package's own blocks, with a token's look at the image replaced and the target added
    where the released code adds it."""
    transformer = sam().mask_decoder.transformer
    image, tokens = embedding(2), torch.randn(2, 7, 128)
    target, guide = torch.randn(2, 1, 128), torch.rand(2, 1, 1, 64)
    positions = sam().prompt_encoder.get_dense_pe()
    found, seen = guided(transformer, image, positions, tokens, target, guide)

    def doubly(attention: Any) -> Any:
        def forward(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            heads = attention.num_heads
            q, k, v = (
                attention._separate_heads(project(x), heads)
                for project, x in (
                    (attention.q_proj, q),
                    (attention.k_proj, k),
                    (attention.v_proj, v),
                )
            )
            shares = torch.einsum("bhqc,bhkc->bhqk", q, k).div(q.shape[-1] ** 0.5).softmax(-1)
            again = (shares + guide).softmax(-1)
            return attention.out_proj(attention._recombine_heads(again @ v))

        return forward

    keys, places = (x.flatten(2).permute(0, 2, 1) for x in (image, positions))
    codes, queries = tokens + target, tokens + target
    for number, layer in enumerate(transformer.layers):
        attention = layer.cross_attn_token_to_image
        monkeypatch.setattr(attention, "forward", doubly(attention))
        queries = queries + target if number else queries
        queries, keys = layer(queries=queries, keys=keys, query_pe=codes, key_pe=places)
    last = transformer.final_attn_token_to_image
    queries = queries + last(q=queries + codes + target, k=keys + places, v=keys)
    queries = transformer.norm_final_attn(queries)
    torch.testing.assert_close(found, queries, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(seen.flatten(2).permute(0, 2, 1), keys, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_behind_the_transformer_the_guided_mask_is_sams_single_mask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the package's own transformer in its place both decoders are the same."""
    image = embedding(2)
    points = (torch.rand(2, 1, 2) * SIZE, torch.ones(2, 1))
    sparse, dense = sam().prompt_encoder(points=points, boxes=None, masks=None)

    def plain(transformer: Any, given: Tensor, positions: Tensor, tokens: Tensor, *_: Any) -> Any:
        places = positions.expand_as(given)
        queries, keys = transformer(given, places, tokens)
        return queries, keys.transpose(1, 2).view_as(given)

    monkeypatch.setattr("methods.persam.guided.guided", plain)
    found = guided_mask(sam(), image, sparse, dense, torch.zeros(2, 128), torch.zeros(2, 64))
    masks, _ = decode_rows(sam(), image, sparse, dense)
    torch.testing.assert_close(found, masks[:, 0], rtol=1e-4, atol=1e-4)


def test_points_are_the_likeliest_and_the_unlikeliest_pixel() -> None:
    similar = torch.zeros(1, 8, 8)
    similar[0, 2, 3], similar[0, 6, 1] = 1, -1
    found = extremes(similar, Canvas(64), (64, 64))[0]
    assert ((found[0] - torch.tensor([27.5, 19.5])).abs() <= 1).all()
    assert ((found[1] - torch.tensor([11.5, 51.5])).abs() <= 1).all()
    # A slice of half the height: what lies in the padding is no pixel of it.
    low = extremes(similar, Canvas(64), (32, 64))[0]
    assert (low[:, 1] < 32).all()


def test_boxes_are_of_the_pixels_above_zero() -> None:
    logits = torch.full((2, 32, 32), -1.0)
    logits[0, 4:10, 12:20] = 1
    boxes, there = boxes_of(logits, Canvas(32), (32, 32))
    assert boxes[0].tolist() == [12, 4, 19, 9]
    assert there.tolist() == [True, False]


@torch.inference_mode()
def test_refining_is_what_the_packages_predictor_does() -> None:
    image = embedding(2)
    points, labels = torch.rand(2, 2, 2) * SIZE, torch.tensor([[1, 0], [1, 0]])
    boxes = torch.tensor([[5.0, 6, 40, 50], [1, 2, 60, 20]])
    logits = torch.randn(2, 32, 32)
    predictor = SamPredictor(sam())
    predictor.is_image_set = True
    predictor.original_size = predictor.input_size = (SIZE, SIZE)
    for box in (None, boxes):
        found = refined(sam(), image, points, labels, logits, box)
        for row in range(2):
            predictor.features, at = image[row : row + 1], slice(row, row + 1)
            _, rated, low = predictor.predict_torch(
                points[at],
                labels[at],
                boxes=None if box is None else box[at],
                mask_input=logits[at, None],
                multimask_output=True,
            )
            best = low[0, int(rated[0].argmax())]
            torch.testing.assert_close(found[row], best, rtol=1e-3, atol=1e-3)


@torch.inference_mode()
def test_a_mask_without_a_pixel_stays_as_it_is() -> None:
    rows = Rows(embedding(2), torch.randn(2, 128), (SIZE, SIZE))
    logits = torch.full((2, 32, 32), -1.0)
    logits[1, 4:10, 12:20] = 1
    points, labels = torch.rand(2, 1, 2) * SIZE, torch.ones(2, 1)
    found = boxed(sam(), Canvas(SIZE), rows, points, labels, logits)
    assert torch.equal(found[0], logits[0])
    assert not torch.equal(found[1], logits[1])


@torch.inference_mode()
@pytest.mark.parametrize("variant", ["persam", "f"])
def test_rows_of_a_batch_do_not_see_each_other(variant: str) -> None:
    image, targets = embedding(3), embedding(3, seed=1)[:, :, 2, 3]
    learned = torch.tensor([[0.2, 0.3], [0.5, 0.1], [0.0, 0.9]])

    def found(at: slice) -> Tensor:
        rows = Rows(image[at], targets[at], (48, SIZE))
        if variant == "persam":
            return personal(sam(), Canvas(SIZE), rows)
        return personal_f(sam(), Canvas(SIZE), rows, learned[at])

    together = found(slice(None))
    for row in range(3):
        alone = found(slice(row, row + 1))
        torch.testing.assert_close(alone[0], together[row], rtol=1e-3, atol=1e-2)


def test_two_weights_mix_three_masks() -> None:
    masks = torch.tensor([1.0, 10.0, 100.0]).view(1, 3, 1, 1)
    assert weighted(masks, torch.full((1, 2), 1 / 3)).item() == pytest.approx(37)
    assert weighted(masks, torch.tensor([[0.2, 0.7]])).item() == pytest.approx(72.1)


@torch.inference_mode()
def test_the_start_of_the_second_variant_is_sams_three_masks() -> None:
    rows = Rows(embedding(2), torch.randn(2, 128), (SIZE, SIZE))
    masks, points = three_scales(sam(), Canvas(SIZE), rows)
    sparse, dense = sam().prompt_encoder(points=(points, torch.ones(2, 1)), boxes=None, masks=None)
    torch.testing.assert_close(masks, decode_rows(sam(), rows.embedding, sparse, dense)[0][:, 1:])


def released_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Dice with 1 above and below, plus the mean focal loss (0.25, 2), one mask."""
    share = logits.sigmoid()
    dice = 1 - (2 * (share * truth).sum() + 1) / (share.sum() + truth.sum() + 1)
    entropy = F.binary_cross_entropy(share, truth, reduction="none")
    hit = torch.where(truth > 0, share, 1 - share)
    alpha = torch.where(truth > 0, 0.25, 0.75)
    return dice + (alpha * (1 - hit) ** 2 * entropy).mean()


def test_the_weights_are_learned_as_released() -> None:
    """Two classes at once against each alone with PyTorch's own cosine schedule."""
    torch.manual_seed(0)
    masks, truth = 2 * torch.randn(3, 3, 8, 8), (torch.rand(3, 8, 8) > 0.6).float()
    kinds, learned = torch.tensor([0, 1, 1]), torch.full((2, 2), 1 / 3)
    clock = MethodClock(seconds_limit=None, steps_limit=None)
    reports = list(fit_weights(masks, truth, kinds, learned, clock=clock, steps=25, lr=0.05))
    assert len(reports) == 25
    assert all(r.steps == 1 and r.samples == 3 and r.epoch for r in reports)
    for kind in (0, 1):
        alone = torch.full((2,), 1 / 3, requires_grad=True)
        optimiser = torch.optim.AdamW([alone], lr=0.05, eps=1e-4)
        rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 25)
        for _ in range(25):
            parts = torch.cat([1 - alone.sum(dim=0, keepdim=True), alone])
            rows = (kinds == kind).nonzero()[:, 0]
            losses = [
                released_loss((masks[row] * parts[:, None, None]).sum(dim=0), truth[row])
                for row in rows
            ]
            optimiser.zero_grad()
            torch.stack(losses).mean().backward()
            optimiser.step()
            rate.step()
        torch.testing.assert_close(learned[kind], alone.detach(), rtol=1e-4, atol=1e-5)


def test_the_mask_that_is_right_gets_the_weight() -> None:
    truth = torch.zeros(1, 8, 8)
    truth[:, 2:6, 2:6] = 1
    masks = torch.stack([-truth[0], 0.1 * torch.randn(8, 8), 12 * truth[0] - 6])[None]
    learned = torch.full((1, 2), 1 / 3)
    clock = MethodClock(seconds_limit=None, steps_limit=None)
    reports = list(
        fit_weights(masks, truth, torch.tensor([0]), learned, clock=clock, steps=100, lr=0.02)
    )
    assert learned[0, 1] > 0.8
    first, last = reports[0].loss, reports[-1].loss
    assert first is not None
    assert last is not None
    assert last < first / 2


def test_references_are_evenly_spread() -> None:
    assert spread(3, 16) == [0, 1, 2]
    assert spread(100, 4) == [12, 37, 62, 87]
    assert len(set(spread(17, 16))) == 16
