"""SAM's decoder for rows with tokens of their own, against the package's."""

from __future__ import annotations

import pytest
import torch
from segment_anything.modeling import TwoWayTransformer
from torch import Tensor

from bench.models.checkpoints import card_of
from bench.models.sam import make_sam
from bench.models.sam.prompted import two_way

Parts = tuple[TwoWayTransformer, Tensor, Tensor, Tensor]


@pytest.fixture(scope="module")
def parts() -> Parts:
    """The package's transformer with random weights, images (3, 128, 8, 8), tokens (3, 5, 128)."""
    torch.manual_seed(0)
    sam = make_sam(card_of("sam", "nano"), image_size=64)
    transformer = sam.mask_decoder.transformer.eval()
    positions = sam.prompt_encoder.get_dense_pe().detach()
    return transformer, torch.randn(3, 128, 8, 8), positions, torch.randn(3, 5, 128)


def test_it_is_the_packages(parts: Parts) -> None:
    transformer, image, positions, tokens = parts
    expected, keys = transformer(image, positions.expand(3, -1, -1, -1), tokens)
    found, after = two_way(transformer, image, positions, tokens)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(after.flatten(2).transpose(1, 2), keys, rtol=1e-4, atol=1e-5)


def test_padding_changes_nothing(parts: Parts) -> None:
    """Whatever it holds: a row of two tokens in a batch of five is that of two alone."""
    transformer, image, positions, tokens = parts
    known = torch.ones(3, 5, dtype=torch.bool)
    known[1, 2:] = False
    wild = torch.where(known[..., None], tokens, 1e3)
    together, images = two_way(transformer, image, positions, wild, known)
    alone, one = two_way(transformer, image[1:2], positions, tokens[1:2, :2])
    torch.testing.assert_close(together[1:2, :2], alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(images[1:2], one, rtol=1e-4, atol=1e-5)
    seen, _ = two_way(transformer, image, positions, wild)
    assert not torch.allclose(seen[1, :2], alone[0])
