"""Losses and similarities are those of float32 under autocast and from half-precision features."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.train.full_precision import in_float32
from bench.train.losses import cross_entropy_dice, cross_entropy_squared_dice
from bench.train.mask_losses import bce_dice, focal_dice
from methods.hssl.losses import alike, draw_places, local_contrastive, other_view
from methods.hssl.losses import contrastive as of_groups
from methods.persam.target import guidance, similarity
from methods.retrieval.neighbours import ranked
from methods.samora.image_level import contrastive as nt_xent
from methods.samora.matching import distance
from methods.samora.pixel_level import restoration

HALF = [torch.bfloat16, torch.float16]
Given = Callable[..., Tensor]


def features(*shape: int, seed: int = 0) -> Tensor:
    """As contrast leaves them early in a training: alike, so that their cosines are all near 1."""
    generator = torch.Generator().manual_seed(seed)
    shared = torch.randn(1, *shape[1:], generator=generator)
    return 2 * shared + 0.3 * torch.randn(*shape, generator=generator)


def _simclr(x: Given) -> Tensor:
    return nt_xent(x(32, 64))


def _other_view(x: Given) -> Tensor:
    return of_groups(x(32, 64), other_view(16), temperature=0.1)


def _groups(x: Given) -> Tensor:
    return of_groups(x(32, 64), alike(torch.arange(32) % 3), temperature=0.1)


def _local(x: Given) -> Tensor:
    torch.manual_seed(1)
    places, negatives = draw_places(2, 64, places=16, negatives=8)
    maps = x(2, 32, 8, 8), x(2, 32, 8, 8, seed=1)
    return local_contrastive(*maps, places, negatives, temperature=0.1)


def _distance(x: Given) -> Tensor:
    return distance(x(8, 64), x(8, 64, seed=1))


def _restoration(x: Given) -> Tensor:
    return restoration(x(4, 1, 32, 32).sigmoid(), x(4, 1, 32, 32, seed=1).sigmoid())


def _similarity(x: Given) -> Tensor:
    return similarity(x(3, 64, 8, 8), x(3, 64, seed=1))


def _guidance(x: Given) -> Tensor:
    return guidance(similarity(x(3, 64, 8, 8), x(3, 64, seed=1)), (8, 6))


def _ranked(x: Given) -> Tensor:
    return ranked(x(40, 64), x(60, 64, seed=1), torch.ones(60, dtype=torch.bool))


TERMS = [
    _simclr,
    _other_view,
    _groups,
    _local,
    _distance,
    _restoration,
    _similarity,
    _guidance,
    _ranked,
]


@pytest.mark.parametrize("dtype", HALF, ids=["bf16", "fp16"])
@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.__name__[1:])
def test_autocast_changes_nothing(term: Callable[[Given], Tensor], dtype: torch.dtype) -> None:
    expected = term(features)
    with torch.autocast("cpu", dtype):
        found = term(features)
    assert found.dtype == expected.dtype
    assert torch.equal(found, expected)


@pytest.mark.parametrize("dtype", HALF, ids=["bf16", "fp16"])
@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.__name__[1:])
def test_half_precision_features_are_raised_first(
    term: Callable[[Given], Tensor], dtype: torch.dtype
) -> None:
    """A head under autocast gives such: the result is that of the same numbers in float32."""

    def rounded(*shape: int, seed: int = 0) -> Tensor:
        return features(*shape, seed=seed).to(dtype)

    def raised(*shape: int, seed: int = 0) -> Tensor:
        return rounded(*shape, seed=seed).float()

    expected = term(raised)
    with torch.autocast("cpu", dtype):
        found = term(rounded)
    if term is _restoration:  # the sigmoid that the test itself takes is rounded, too
        assert found.dtype == torch.float32
        assert float(found) == pytest.approx(float(expected), abs=2e-3)
    else:
        assert torch.equal(found, expected)


@pytest.mark.parametrize("dtype", HALF, ids=["bf16", "fp16"])
@pytest.mark.parametrize(
    "loss", [cross_entropy_dice, cross_entropy_squared_dice, bce_dice, focal_dice]
)
def test_segmentation_losses_too(loss: Callable[..., Tensor], dtype: torch.dtype) -> None:
    """Sums over a batch pass 65504, the largest number of fp16."""
    generator = torch.Generator().manual_seed(0)
    masks = loss in (bce_dice, focal_dice)
    logits = 8 * torch.randn(*((3,) if masks else (3, 4)), 256, 256, generator=generator)
    labels = torch.randint(2 if masks else 4, (3, 256, 256), generator=generator)
    logits = logits.to(dtype)
    expected = loss(logits.float(), labels)
    with torch.autocast("cpu", dtype):
        found = loss(logits, labels)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("dtype", HALF, ids=["bf16", "fp16"])
def test_gradients_go_back_in_the_heads_own_precision(dtype: torch.dtype) -> None:
    half = features(32, 64).to(dtype).requires_grad_(True)
    whole = half.detach().float().requires_grad_(True)
    with torch.autocast("cpu", dtype):
        value = nt_xent(half)
    value.backward()
    nt_xent(whole).backward()
    assert half.grad is not None
    assert whole.grad is not None
    assert half.grad.dtype == dtype
    assert torch.equal(half.grad, whole.grad.to(dtype))


def test_a_row_is_never_its_own_neighbour() -> None:
    """Two far apart: with a finite score instead of none, a row of fp32 could still see itself."""
    x = F.normalize(torch.eye(4, 8), dim=1)
    assert float(nt_xent(x, temperature=1e-12)) == pytest.approx(float(torch.tensor(3.0).log()))


def test_whole_numbers_and_doubles_stay_what_they_are() -> None:
    seen: list[torch.dtype] = []

    @in_float32
    def look(*tensors: Tensor, keyword: Tensor) -> None:
        seen.extend(x.dtype for x in (*tensors, keyword))
        assert not torch.is_autocast_enabled("cpu")

    one = torch.ones(2)
    with torch.autocast("cpu", torch.bfloat16):
        look(one.long(), one.double(), one.bool(), keyword=one.half())
        assert torch.is_autocast_enabled("cpu")
    assert seen == [torch.int64, torch.float64, torch.bool, torch.float32]


def test_what_has_no_tensor_has_no_device() -> None:
    with pytest.raises(TypeError, match=r"^sqrt runs in float32 and was given no tensor$"):
        in_float32(math.sqrt)(4.0)
