"""The prompt encoder against the package's own call, and its places under autocast."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from bench.models.checkpoints import card_of
from bench.models.sam import build_sam
from bench.models.sam.prompts import encode_prompts

SIZE = 64


@pytest.fixture(scope="module")
def encoder() -> Any:
    return build_sam(card_of("sam", "nano"), image_size=SIZE).prompt_encoder


def drawn(*shape: int, scale: float = SIZE) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(len(shape))) * scale


POINTS = drawn(3, 4, 2), torch.tensor([[1, 0, -1, 1], [0, 0, 0, 0], [1, 1, 1, -1]])
BOXES = drawn(3, 4)
MASKS = drawn(3, 1, 32, 32, scale=4) - 2


@torch.inference_mode()
@pytest.mark.parametrize("masks", [None, MASKS], ids=["no mask", "masks"])
@pytest.mark.parametrize(
    ("points", "boxes"),
    [(POINTS, None), (None, BOXES), (POINTS, BOXES)],
    ids=["points", "boxes", "both"],
)
def test_it_is_what_the_package_gives(
    encoder: Any, points: tuple[Tensor, Tensor] | None, boxes: Tensor | None, masks: Tensor | None
) -> None:
    if masks is not None:
        masks = masks[..., : 4 * encoder.image_embedding_size[0], :].contiguous()
    expected = encoder(points=points, boxes=boxes, masks=masks)
    found = encode_prompts(encoder, points, boxes, masks)
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours, theirs)


@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
def test_places_are_float32_under_autocast(encoder: Any, dtype: torch.dtype) -> None:
    expected, _ = encode_prompts(encoder, POINTS, BOXES, None)
    with torch.autocast("cpu", dtype):
        found, _ = encode_prompts(encoder, POINTS, BOXES, None)
        package, _ = encoder(points=POINTS, boxes=BOXES, masks=None)
    assert torch.equal(found, expected)
    assert (package - expected).abs().max() > 0.005
