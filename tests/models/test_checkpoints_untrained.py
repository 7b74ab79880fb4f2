"""Networks that never learnt: drawn once, always the same, loaded like any checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from bench.models.checkpoints import card_of, checkpoint_file, checkpoint_hash
from bench.models.dino import build_dino, make_dino
from bench.models.sam import build_sam, make_sam
from bench.models.sam2 import build_sam2, make_sam2

BUILDERS = {
    "sam": (build_sam, make_sam),
    "sam2": (build_sam2, make_sam2),
    "dino": (build_dino, make_dino),
}


@pytest.mark.parametrize("family", BUILDERS)
def test_it_is_the_architecture_as_the_package_starts_it(family: str, tmp_path: Path) -> None:
    build, make = BUILDERS[family]
    card = card_of(family, "nano_untrained")
    before = torch.random.get_rng_state()
    network = build(card, cache=tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert isinstance(network, nn.Module)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        expected = make(card).state_dict()
    found = network.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)
    trained = build(card_of(family, "nano"), cache=tmp_path).state_dict()
    assert any(not torch.allclose(found[name], trained[name], atol=1e-2) for name in found)


def test_it_is_drawn_once_and_always_the_same(tmp_path: Path) -> None:
    card = card_of("sam", "nano_untrained")
    place = checkpoint_file(card, tmp_path / "one")
    written = place.stat().st_mtime_ns
    assert checkpoint_file(card, tmp_path / "one").stat().st_mtime_ns == written
    torch.manual_seed(123)
    assert checkpoint_hash(card, tmp_path / "two") == checkpoint_hash(card, tmp_path / "one")
    assert checkpoint_hash(card, tmp_path) != checkpoint_hash(card_of("sam", "nano"), tmp_path)
    assert [file.name for file in place.parent.iterdir()] == [card.file]
