"""Frozen encoders with their cache, against the same encoder called by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.contract import Volume
from bench.errors import RequestError
from bench.models.checkpoints import card_of
from bench.models.checkpoints.normalise import normalise
from bench.models.dino import build_dino
from bench.models.dino.frozen import frozen_dino
from bench.models.embeddings import Ledger
from bench.models.embeddings.frozen import FrozenEncoder
from bench.models.embeddings.labelled import labelled_chunks
from bench.models.sam import build_sam
from bench.models.sam.frozen import frozen_sam

SIZE = 64


def sam_encoder(cache: Path) -> FrozenEncoder:
    card = card_of("sam", "nano")
    return frozen_sam(build_sam(card, image_size=SIZE), card, device="cpu", cache=cache)


def some_volume(depth: int = 5, height: int = 48, width: int = 64) -> Volume:
    random = np.random.default_rng(0)
    image = random.uniform(size=(depth, height, width)).astype(np.float32)
    label = (image > 0.9).astype(np.uint8)
    shown = tuple(range(depth))
    return Volume("c", "p", image, (1.0, 1.0, 1.0), label=label, labelled_slices=shown)


@torch.inference_mode()
def test_sam_by_hand_with_padding_after_the_normalisation(tmp_path: Path) -> None:
    """SAM's own way: slices are normalised, then padded with 0."""
    card, volume = card_of("sam", "nano"), some_volume()
    encoder = sam_encoder(tmp_path)
    images = encoder.slices(volume).load(range(5))
    assert encoder.inner(volume) == (48, 64)
    own = normalise(images[:, :, :48].expand(-1, 3, -1, -1), card)
    expected = build_sam(card, image_size=SIZE).image_encoder(
        torch.nn.functional.pad(own, (0, 0, 0, 16))
    )
    found = encoder.volume(volume)
    torch.testing.assert_close(found.take().float(), expected, rtol=2e-3, atol=2e-3)
    assert torch.equal(encoder.volume(volume, chosen=[3, 1]).take(), found.take([3, 1]))


@torch.inference_mode()
def test_dino_by_hand(tmp_path: Path) -> None:
    """Cells are in their places: the patch token of row 2, column 5 is at (2, 5)."""
    card, volume = card_of("dino", "nano"), some_volume(height=64)
    dino = build_dino(card)
    encoder = frozen_dino(dino, card, size=SIZE, device="cpu", cache=tmp_path)
    found = encoder.volume(volume).take().float()
    assert found.shape == (5, 192, 8, 8)
    images = encoder.slices(volume).load([4])
    tokens = dino.forward_features(normalise(images.expand(-1, 3, -1, -1), card))
    expected = tokens[0, 1 + 2 * 8 + 5]
    torch.testing.assert_close(found[4, :, 2, 5], expected, rtol=2e-3, atol=2e-3)


def test_it_is_computed_once(tmp_path: Path) -> None:
    volume = some_volume()
    for misses, hits in ((5, 0), (0, 5)):
        with Ledger().use():
            account = sam_encoder(tmp_path).volume(volume).account
        assert (account.misses, account.hits) == (misses, hits)


def test_views_are_their_own_entries_and_know_their_padding(tmp_path: Path) -> None:
    encoder, volume = sam_encoder(tmp_path), some_volume()
    images = encoder.slices(volume).load(range(2))
    plain = encoder.volume(volume, chosen=[0, 1])
    views = encoder.views(images, inner=(48, 64), augmentation="none at all")
    assert views.account.misses == 2
    assert torch.equal(views.take(), plain.take())
    whole = encoder.views(images, inner=(64, 64), augmentation="none at all")
    assert whole.account.misses == 2
    assert not torch.equal(whole.take(), plain.take())


def test_labelled_slices_come_a_few_at_a_time(tmp_path: Path) -> None:
    encoder, volume = sam_encoder(tmp_path), some_volume()
    assert volume.label is not None
    chunks = list(labelled_chunks(encoder, [volume], choose=lambda _: [0, 2, 4]))
    assert [len(chunk.embedded) for chunk in chunks] == [2, 1]
    kept = torch.cat([chunk.embedded.take() for chunk in chunks])
    assert torch.equal(kept, encoder.volume(volume, chosen=[0, 2, 4]).take())
    expected = encoder.canvas.labels(torch.from_numpy(volume.label[[0, 2, 4]]))
    assert torch.equal(torch.cat([chunk.labels for chunk in chunks]), expected)
    assert chunks[1].images.hashes == encoder.slices(volume, chosen=[4]).hashes
    assert torch.equal(chunks[1].images.load([0]), encoder.slices(volume).load([4]))
    assert len(list(labelled_chunks(encoder, [volume]))) == 3


def test_dino_takes_whole_patches(tmp_path: Path) -> None:
    card = card_of("dino", "nano")
    with pytest.raises(RequestError) as caught:
        frozen_dino(build_dino(card), card, size=100, device="cpu", cache=tmp_path)
    assert str(caught.value) == (
        "dino nano: an image size of 100 is no multiple of its patch, 8 pixels"
    )
