"""Prompted SAM and SAM 2 by hand, held to the packages' own predictors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from segment_anything import SamPredictor

from bench.data.slices import volume_slices
from bench.errors import RequestError
from bench.models.checkpoints.normalise import normalise
from bench.registry import discover
from methods.sam_prompt.asking import objects_of, prompts_for
from tests.methods.sam2_tiny import disks, sam2_method
from tests.methods.tiny import dice

GIVEN = disks("a", seed=1)
NANO_SIZE = {"sam": 128, "sam2": 128}


def prompted(cache: Path, family: str = "sam", **changes: Any) -> Any:
    size = NANO_SIZE[family]
    return sam2_method("sam_prompt", cache, **{"family": family, "image_size": size, **changes})


def test_its_card_puts_it_into_a_block_of_its_own() -> None:
    card = discover().method("sam_prompt")[1]
    assert card.block == "oracle"
    assert card.needs_test_label


@pytest.mark.parametrize("prompt", ["point", "box", "point_neg"])
def test_sam_answers_as_its_own_predictor_does(cache: Path, prompt: str) -> None:
    method = prompted(cache, prompt=prompt)
    family = method.family
    rows = objects_of(GIVEN, 2)[:3]
    prompts = prompts_for(rows, GIVEN, family.canvas, prompt=prompt, jitter=0, seed=0)
    embedded = family.embedded(GIVEN, [1, 2])
    owner = torch.tensor([row.z - 1 for row in rows])
    predictor = SamPredictor(family.sam)
    predictor.is_image_set, side = True, family.canvas.size
    predictor.original_size = predictor.input_size = (side, side)
    for several in (True, False):
        with torch.inference_mode():
            masks, quality = family.candidates(embedded, owner, prompts, several=several)
        for number in range(3):
            predictor.features = embedded[owner[number]][None]
            at = slice(number, number + 1)
            box = None if prompts.boxes is None else prompts.boxes[at]
            _, rated, low = predictor.predict_torch(
                None if box is not None else prompts.points[at],
                None if box is not None else prompts.labels[at],
                boxes=box,
                multimask_output=several,
            )
            torch.testing.assert_close(masks[number], low[0], rtol=1e-3, atol=1e-3)
            torch.testing.assert_close(quality[number], rated[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("prompt", ["point", "box", "point_neg"])
def test_sam2_answers_as_its_own_predictor_does(cache: Path, prompt: str) -> None:
    from sam2.sam2_image_predictor import SAM2ImagePredictor

    method = prompted(cache, "sam2", prompt=prompt)
    family = method.family
    rows = objects_of(GIVEN, 2)[:2]
    prompts = prompts_for(rows, GIVEN, family.canvas, prompt=prompt, jitter=0, seed=0)
    features = family.embedded(GIVEN, [1])
    owner = torch.zeros(2, dtype=torch.long)
    predictor = SAM2ImagePredictor(family.slices.sam2)
    bare = family.slices.sam2.no_mem_embed.reshape(1, -1, 1, 1)
    predictor._features = {
        "image_embed": features.s16 + bare,
        "high_res_feats": [features.s4, features.s8],
    }
    predictor._is_image_set, side = True, family.canvas.size
    predictor._orig_hw = [(side, side)]
    with torch.inference_mode():
        masks, quality = family.candidates(features, owner, prompts, several=True)
        for number in range(2):
            at = slice(number, number + 1)
            box = None if prompts.boxes is None else prompts.boxes[at]
            _, rated, low = predictor._predict(
                None if box is not None else prompts.points[at],
                None if box is not None else prompts.labels[at],
                boxes=box,
                multimask_output=True,
            )
            torch.testing.assert_close(masks[number].clamp(-32, 32), low[0], rtol=1e-3, atol=1e-3)
            torch.testing.assert_close(quality[number], rated[0], rtol=1e-3, atol=1e-4)


def test_a_box_finds_a_bright_disk(cache: Path) -> None:
    """By nano SAM: nano SAM 2 has never been trained with a prompt."""
    prediction = prompted(cache, prompt="box").predict(GIVEN)
    assert GIVEN.label is not None
    assert dice(prediction, GIVEN.label, 1) > 0.5


@pytest.mark.parametrize("family", ["sam", "sam2"])
def test_the_best_of_three_is_no_worse_than_the_best_rated(cache: Path, family: str) -> None:
    assert GIVEN.label is not None
    alone = replace(GIVEN, label=np.where(GIVEN.label == 1, 1, 0).astype(np.uint8))
    assert alone.label is not None
    rated, best = (
        dice(prompted(cache, family, candidate=word).predict(alone), alone.label)
        for word in ("rated", "best_of_three")
    )
    assert best >= rated
    assert best > 0.3


def test_where_the_reference_shows_nothing_nothing_is_predicted(cache: Path) -> None:
    prediction = prompted(cache).predict(GIVEN)
    assert not prediction[0].any()
    assert not (prediction[-1] == 2).any()
    nothing = replace(GIVEN, label=np.zeros_like(GIVEN.image, dtype=np.uint8))
    assert not prompted(cache).predict(nothing).any()


def test_slices_that_are_not_labelled_are_not_prompted(cache: Path) -> None:
    assert GIVEN.label is not None
    label = GIVEN.label.copy()
    label[2] = 255
    assert not prompted(cache).predict(replace(GIVEN, label=label))[2].any()


def test_an_unfitting_option_is_refused(cache: Path) -> None:
    with pytest.raises(RequestError, match=r"^slices=middle needs a memory: take family=sam2$"):
        prompted(cache, slices="middle")


@torch.inference_mode()
def test_from_the_middle_as_the_packages_video_predictor(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A box in the middle slice of the first class, propagated both ways. The package begins anew
    for the way back: within one state it would see there what it had found on the way up."""
    given = disks("a", seed=3, depth=8, side=64)
    assert given.label is not None
    label = np.where(given.label == 1, 1, 0).astype(np.uint8)
    given = replace(given, label=label)
    method = prompted(cache, "sam2", prompt="box", slices="middle", image_size=64)
    prediction = method.predict(given)
    rows = objects_of(given, 1)
    middle = rows[len(rows) // 2]
    slices = method.family.slices
    video = normalise(volume_slices(given, slices.canvas).expand(-1, 3, -1, -1), slices.card)
    monkeypatch.setattr("sam2.sam2_video_predictor.load_video_frames", lambda **_: (video, 64, 64))
    prompts = prompts_for([middle], given, slices.canvas, prompt="box", jitter=0, seed=0)
    assert prompts.boxes is not None
    expected = {}
    for reverse in (False, True):
        state = slices.sam2.init_state("no file")
        slices.sam2.add_new_points_or_box(
            state, middle.z, 1, box=prompts.boxes[0], normalize_coords=False
        )
        for frame, _, logits in slices.sam2.propagate_in_video(
            state, start_frame_idx=middle.z, reverse=reverse
        ):
            expected[frame] = (logits[0, 0] > 0).numpy()
    assert sorted(expected) == list(range(8))
    assert sum(mask.sum() for mask in expected.values()) > 0
    for z, mask in expected.items():
        assert ((prediction[z] == 1) != mask).mean() < 0.0005
