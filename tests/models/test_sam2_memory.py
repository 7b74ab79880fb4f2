"""SAM 2's memory without a video, held to the package's own `track_step`."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.models.checkpoints import card_of
from bench.models.sam2 import build_sam2
from bench.models.sam2.encode import Features, encode
from bench.models.sam2.memory import Memory, ask, remember, remember_answer, rows_of

SIZE = 64


@cache
def nano() -> Any:
    return build_sam2(card_of("sam2", "nano"), image_size=SIZE)


@pytest.fixture
def sam2() -> Any:
    torch.manual_seed(0)
    return nano()


def disks(count: int) -> Tensor:
    """(count, 1, S, S), a disk that grows."""
    line = torch.arange(SIZE) - SIZE / 2
    far = torch.hypot(line[:, None], line[None])
    return torch.stack([far < 6 + 3 * k for k in range(count)])[:, None].float()


def tracked(sam2: Any, features: Features, masks: Tensor) -> list[dict[str, Any]]:
    """The package, frame after frame: masks given, then the other frames asked."""
    maps = [features.s4, features.s8, features.s16]
    levels = [each.flatten(2).permute(2, 0, 1) for each in maps]
    place = sam2.image_encoder.neck.position_encoding(features.s16).flatten(2).permute(2, 0, 1)
    bank: dict[str, dict[int, Any]] = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
    outs = []
    for frame in range(len(features.s16)):
        given = frame < len(masks)
        out = sam2.track_step(
            frame_idx=frame,
            is_init_cond_frame=given,
            current_vision_feats=[level[:, frame : frame + 1] for level in levels],
            current_vision_pos_embeds=[place[:, frame : frame + 1]],
            feat_sizes=[tuple(each.shape[-2:]) for each in maps],
            point_inputs=None,
            mask_inputs=masks[frame][None] if given else None,
            output_dict=bank,
            num_frames=len(features.s16),
            run_mem_encoder=True,
        )
        bank["cond_frame_outputs" if given else "non_cond_frame_outputs"][frame] = out
        outs.append(out)
    return outs


def one(features: Features, index: int) -> Features:
    return rows_of(features, torch.tensor([index]))


@torch.inference_mode()
def test_a_query_under_given_masks_is_the_packages(sam2: Any) -> None:
    features, masks = encode(sam2, torch.randn(4, 3, SIZE, SIZE)), disks(3)
    masks[1] = 0  # a slice without the object is a memory, too
    expected = tracked(sam2, features, masks)
    given = [remember(sam2, one(features, k), masks[k][None]) for k in range(3)]
    for memory, out in zip(given, expected, strict=False):
        torch.testing.assert_close(memory.spatial, out["maskmem_features"])
        torch.testing.assert_close(memory.pointer, out["obj_ptr"])
    answer = ask(sam2, one(features, 3), given)
    torch.testing.assert_close(answer.best(), expected[3]["pred_masks"][:, 0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(answer.present, expected[3]["object_score_logits"])


@torch.inference_mode()
def test_answers_are_remembered_as_the_package_does(sam2: Any) -> None:
    """Two given slices, then eight one after the other: the package takes the last six."""
    features, masks = encode(sam2, torch.randn(10, 3, SIZE, SIZE)), disks(2)
    expected = tracked(sam2, features, masks)
    given = [remember(sam2, one(features, k), masks[k][None]) for k in range(2)]
    found: list[Memory] = []
    for frame in range(2, 10):
        image = one(features, frame)
        answer = ask(sam2, image, given, found)
        best = answer.best()
        torch.testing.assert_close(best, expected[frame]["pred_masks"][:, 0], rtol=1e-3, atol=1e-3)
        found.append(remember_answer(sam2, image, best, answer.token(), answer.present))
        torch.testing.assert_close(
            found[-1].spatial, expected[frame]["maskmem_features"], rtol=1e-3, atol=1e-3
        )


@torch.inference_mode()
def test_an_absent_answer_is_remembered_as_absent(sam2: Any) -> None:
    image = encode(sam2, torch.randn(1, 3, SIZE, SIZE))
    blank = torch.full((1, SIZE // 4, SIZE // 4), -1024.0)
    token = torch.randn(1, sam2.hidden_dim)
    absent = remember_answer(sam2, image, blank, token, torch.tensor([[-1.0]]))
    torch.testing.assert_close(absent.pointer, sam2.no_obj_ptr.expand_as(absent.pointer))
    empty = remember(sam2, image, torch.zeros(1, 1, SIZE, SIZE))
    torch.testing.assert_close(absent.spatial, empty.spatial, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(absent.pointer, empty.pointer)


@torch.inference_mode()
def test_objects_in_a_batch_do_not_see_each_other(sam2: Any) -> None:
    features, masks = encode(sam2, torch.randn(2, 3, SIZE, SIZE)), disks(3)
    shown = remember(sam2, rows_of(features, torch.zeros(3, dtype=torch.long)), masks)
    query = rows_of(features, torch.ones(3, dtype=torch.long))
    together = ask(sam2, query, [shown])
    for k in range(3):
        alone = ask(sam2, one(features, 1), [shown.take(torch.tensor([k]))])
        torch.testing.assert_close(together.masks[k], alone.masks[0], rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_order_reaches_the_answer_through_the_pointers_alone(sam2: Any) -> None:
    """Spatial memories are a set; SAM 2.1 tells pointers apart by their distance in time.

    The nano network hardly looks at pointers, so they are made loud here.
    """
    features, masks = encode(sam2, torch.randn(3, 3, SIZE, SIZE)), disks(2)
    given = [remember(sam2, one(features, k), masks[k][None]) for k in range(2)]
    loud = [Memory(m.spatial, 40 * torch.randn_like(m.pointer)) for m in given]
    same = [Memory(m.spatial, loud[0].pointer) for m in given]
    query = one(features, 2)
    turned = [
        (ask(sam2, query, bank).masks - ask(sam2, query, bank[::-1]).masks).abs().max()
        for bank in (loud, same)
    ]
    assert turned[0] > 1e-3
    assert turned[1] < 2e-5


@torch.inference_mode()
def test_every_support_keeps_its_pointer(sam2: Any) -> None:
    """One behind the query would lose it: each pointer is in the answer."""
    features, masks = encode(sam2, torch.randn(4, 3, SIZE, SIZE)), disks(3)
    given = [remember(sam2, one(features, k), masks[k][None]) for k in range(3)]
    before = ask(sam2, one(features, 3), given).masks
    for k in range(3):
        other = list(given)
        other[k] = Memory(given[k].spatial, 40 * torch.randn_like(given[k].pointer))
        assert (ask(sam2, one(features, 3), other).masks - before).abs().max() > 1e-3
