"""The shipped weights: whole, small, and better than the same networks untrained."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch

from bench.errors import RequestError
from bench.models.nano.evaluate import FIGURES, HELD_OUT, untrained
from bench.models.nano.export import WEIGHTS, load
from bench.models.nano.networks import BUILDERS
from bench.models.nano.publish import publish

SMALL = {"sam": {"batches": 3}, "sam2": {"batches": 3}, "dino": {"patients": 100}}


@pytest.mark.parametrize("which", BUILDERS)
def test_card_describes_the_file_beside_it(which: str) -> None:
    card = json.loads((WEIGHTS / f"{which}.json").read_text())
    content = (WEIGHTS / card["file"]).read_bytes()
    assert card["bytes"] == len(content)
    assert card["sha256"] == hashlib.sha256(content).hexdigest()
    assert card["parameters"] == sum(p.numel() for p in BUILDERS[which]().parameters())
    assert card["steps"] > 0


def test_weights_together_are_at_most_16_megabytes() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.glob("*.safetensors")) <= 16e6


@pytest.mark.parametrize("which", BUILDERS)
def test_weights_fit_the_network_exactly_and_are_finite(which: str) -> None:
    network = load(which)
    assert not network.training
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())


@pytest.mark.parametrize("which", BUILDERS)
def test_shipped_weights_beat_the_untrained_network(which: str) -> None:
    card = json.loads((WEIGHTS / f"{which}.json").read_text())["figures"]
    name = {"sam": "point", "sam2": "k4", "dino": "network"}[which]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    trained = FIGURES[which](load(which), **SMALL[which])[name]
    plain = FIGURES[which](untrained(which), **SMALL[which])[name]
    torch.set_num_threads(threads)
    # A part of the held-out drawings, so half of the gain that the card states must show.
    gain = card["trained"][name] - card["untrained"][name]
    assert gain > 0
    assert trained - plain > 0.5 * gain


def test_held_out_drawings_have_seeds_of_their_own() -> None:
    steps, seeds = 10_000_000, 1000
    assert seeds * 1_000_003 + steps < HELD_OUT


def test_publishing_without_a_checkpoint_says_what_to_do(tmp_path) -> None:
    with pytest.raises(RequestError, match=r"no checkpoint .*sam\.pt; train it first"):
        publish("sam", tmp_path)
