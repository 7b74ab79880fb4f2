"""CMAttn's noise and heads."""

from __future__ import annotations

import pytest
import torch

from bench.models.sam.class_attention import NOISE, ClassAttention, class_noise, noise_of_ranks
from bench.protocol import UNLABELLED


@pytest.mark.parametrize(("positions", "heads"), [(196, 7), (1024, 8), (256, 8), (49, 7), (121, 1)])
def test_heads_divide_the_positions(positions: int, heads: int) -> None:
    """7 at 224 px and 8 at 512, as released."""
    with torch.device("meta"):
        assert ClassAttention(masks=9, positions=positions).self_attn.num_heads == heads


def test_ranks_are_the_released_list_or_lie_between_its_entries() -> None:
    assert noise_of_ranks(9).tolist() == pytest.approx(NOISE)
    assert noise_of_ranks(2).tolist() == pytest.approx([0.35, 0.0])
    assert noise_of_ranks(3).tolist() == pytest.approx([0.35, 0.20, 0.0])
    assert noise_of_ranks(4).tolist() == pytest.approx([0.35, 0.30 - 0.2 / 3, 0.10, 0.0])
    assert noise_of_ranks(1).tolist() == [0.0]
    long = noise_of_ranks(30)
    assert (long.diff() <= 0).all()
    assert (long[0].item(), long[-1].item()) == (pytest.approx(0.35), 0.0)


def test_the_rarer_the_class_the_larger_the_noise() -> None:
    """Class 3 is rarer than 1, and 1 than the background; 2 is absent; some is not labelled."""
    labels = torch.zeros(4, 40, 40, dtype=torch.uint8)
    labels[:, :12] = 1
    labels[:, 20:24] = 3
    labels[:, 36:] = UNLABELLED
    features = torch.zeros(4, 5, 1600)
    torch.manual_seed(0)
    noise = class_noise(features, labels).view(4, 5, 40, 40)

    def deviation(rows: slice) -> float:
        return noise[:, :, rows].std().item()

    assert deviation(slice(20, 24)) == pytest.approx(0.35, rel=0.05)
    assert deviation(slice(0, 12)) == pytest.approx(0.20, rel=0.05)
    assert (noise[:, :, 12:20] == 0).all()  # the commonest
    assert (noise[:, :, 24:36] == 0).all()
    assert (noise[:, :, 36:] == 0).all()
    assert noise[:, :, :12].mean().item() == pytest.approx(0, abs=0.01)
    rows = noise[:, :, :12]
    assert not torch.equal(rows[:, 0], rows[:, 1])  # each row of a position has its own


def test_nothing_labelled_is_no_noise() -> None:
    labels = torch.full((1, 4, 4), UNLABELLED, dtype=torch.uint8)
    assert (class_noise(torch.zeros(1, 2, 16), labels) == 0).all()


@pytest.mark.parametrize(
    ("kind", "training", "noisy"),
    [("paper", True, True), ("paper", False, False), ("released", True, False)],
)
def test_when_there_is_noise(kind: str, training: bool, noisy: bool) -> None:
    torch.manual_seed(0)
    attention = ClassAttention(masks=2, positions=16, kind=kind).train(training)
    seen: list[torch.Tensor] = []
    attention.self_attn.register_forward_pre_hook(
        lambda _, args, given: seen.append(given["q"]), with_kwargs=True
    )
    labels = torch.zeros(1, 4, 4, dtype=torch.uint8)
    labels[0, 0] = 1
    features = torch.randn(1, 2, 16)
    with torch.no_grad():
        attention(features, labels)
        attention(features)
    assert torch.equal(seen[0], features) != noisy
    assert torch.equal(seen[0][..., 4:], features[..., 4:])
    assert torch.equal(seen[1], features)
