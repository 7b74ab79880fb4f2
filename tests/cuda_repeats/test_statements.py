"""What each method's card says of a second run on one GPU is what was counted of its operations."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from bench.registry import discover
from tests.conftest import ROOT
from tests.cuda_repeats.counting import (
    ATTENTION,
    Attention,
    Operations,
    as_on_cuda,
    count,
    listed,
    statement,
    variants,
)

REGISTRY = discover()
METHODS = REGISTRY.available("method")
ORDER = ("bits", "deterministic", "close")


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_a_card_says_what_was_counted(name: str, tmp_path: Path) -> None:
    card = REGISTRY.method(name)[1]
    found = {
        str(variant): count(variant, tmp_path / str(number))
        for number, variant in enumerate(variants(name, card))
    }
    worst = max((statement(one) for one in found.values()), key=ORDER.index)
    assert card.repeatable_on_cuda == worst, found
    told, because = row_of(name)
    assert told == worst
    # nnU-Net's random augmentation may leave one of them out in so few steps.
    assert {operation for one in found.values() for operation in +one} <= because


def row_of(method: str) -> tuple[str, set[str]]:
    """What docs/methods.md says of it, and because of which operations."""
    page = (ROOT / "docs" / "methods.md").read_text("utf-8").splitlines()
    [row] = [line for line in page if re.match(rf"\| `{method}` \| `\w+` \|", line)]
    _, _, told, names, _ = (cell.strip() for cell in row.split("|"))
    return told.strip("`"), set() if names == "-" else set(names.split(", "))


def test_the_page_says_what_the_cards_say() -> None:
    for name in METHODS:
        told, because = row_of(name)
        assert told == REGISTRY.method(name)[1].repeatable_on_cuda
        assert statement(dict.fromkeys(because, 1)) == told


def test_every_choice_of_a_backbone_is_counted() -> None:
    assert [str(one) for one in variants("hssl", REGISTRY.method("hssl")[1])] == [
        "hssl",
        "hssl apply_to=sam_lora",
        "hssl groups=auto",
    ]
    assert [str(one) for one in variants("unet", REGISTRY.method("unet")[1])] == ["unet"]


def counted(work: object) -> Counter[str]:
    counting = Operations()
    with counting, Attention(counting.found):
        work()  # type: ignore[operator]
    return +counting.found


def test_a_backward_pass_is_counted() -> None:
    image = torch.randn(1, 2, 8, 8, requires_grad=True)
    weight = torch.randn(2, 2, 3, 3)

    def trained() -> None:
        larger = F.interpolate(F.conv2d(image, weight), scale_factor=2.0, mode="bilinear")
        larger.sum().backward()

    assert counted(trained) == {
        "convolution": 1,
        "convolution_backward": 1,
        "upsample_bilinear2d_backward": 1,
    }


def test_inference_mode_is_counted_too() -> None:
    def predicted() -> None:
        with torch.inference_mode():
            F.conv2d(torch.randn(1, 2, 8, 8), torch.randn(2, 2, 3, 3))
            F.conv_transpose2d(torch.randn(1, 2, 8, 8), torch.randn(2, 2, 3, 3))

    assert counted(predicted) == {"convolution": 2}


@pytest.mark.parametrize(
    ("work", "found"),
    [
        (lambda: torch.arange(4.0).cumsum(0), {"cumsum": 1}),
        (lambda: torch.arange(4).cumsum(0), {}),
        (lambda: F.cross_entropy(torch.randn(1, 2, 3, 3), torch.ones(1, 3, 3).long()), "nll"),
        (
            lambda: F.cross_entropy(
                torch.randn(1, 2, 3, 3), torch.ones(1, 3, 3).long(), reduction="none"
            ),
            {},
        ),
        (lambda: F.cross_entropy(torch.randn(3, 2), torch.ones(3).long()), {}),
        (lambda: torch.ones(3).long().bincount(), {}),
        (lambda: torch.ones(3).long().bincount(weights=torch.ones(3)), {"bincount": 1}),
        (lambda: torch.zeros(3).scatter(0, torch.ones(2).long(), 1.0), {}),
        (lambda: torch.zeros(3).scatter(0, torch.ones(2).long(), torch.ones(2)), {"scatter": 1}),
    ],
)
def test_when_it_matters(work: object, found: object) -> None:
    assert counted(work) == ({"nll_loss2d_forward": 1} if found == "nll" else found)


def test_writing_by_a_mask_is_no_double_writing() -> None:
    def by(place: torch.Tensor) -> Counter[str]:
        def written() -> None:
            torch.zeros(3)[place] = torch.ones(2)

        return counted(written)

    assert by(torch.tensor([True, False, True])) == {}
    assert by(torch.tensor([0, 0])) == {"index_put": 1}


def test_attention_counts_where_a_gradient_is_asked_for() -> None:
    q = torch.randn(1, 1, 4, 8)
    assert counted(lambda: F.scaled_dot_product_attention(q, q, q)) == {}
    trained = q.clone().requires_grad_()
    assert counted(lambda: F.scaled_dot_product_attention(trained, q, q)) == {ATTENTION: 1}


def test_the_models_go_the_way_of_cuda() -> None:
    """On a CPU the relative attention has a backward of its own, without the fused kernel."""
    from bench.models.sam.attention import relative_attention

    q, k, v = (torch.randn(2, 4, 8, requires_grad=True) for _ in range(3))
    tables = torch.randn(3, 8), torch.randn(3, 8)

    def attended() -> None:
        relative_attention(q, k, v, *tables, grid=(2, 2)).sum().backward()

    assert ATTENTION not in counted(attended)
    with as_on_cuda():
        assert ATTENTION in counted(attended)
    assert not torch.are_deterministic_algorithms_enabled()


def test_what_follows_from_what_was_counted() -> None:
    assert statement(Counter()) == "bits"
    assert statement(Counter({"cumsum": 0})) == "bits"
    assert statement(Counter(convolution_backward=1)) == "deterministic"
    assert statement(Counter(convolution_backward=1, histc=1)) == "close"


def test_the_list_names_its_sources_and_operations_that_torch_has() -> None:
    for part in listed().values():
        for name, facts in part.items():
            assert facts["source"] in ("doc", "code")
            assert name == ATTENTION or hasattr(torch.ops.aten, name), name
