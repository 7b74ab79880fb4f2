"""Weights that never learnt, as a file: the control for what a checkpoint's training is worth."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import torch
from safetensors.torch import save

from bench.models.checkpoints.card import CheckpointCard
from bench.models.checkpoints.fill import same_randomness
from bench.record.whole import whole

SEED = 0


def write_untrained(card: CheckpointCard, place: Path) -> None:
    """The card's architecture as its package starts it, always with the same seed; whole or not
    there at all."""
    make = getattr(import_module(f"bench.models.{card.family}"), f"make_{card.family}")
    with same_randomness():
        torch.manual_seed(SEED)
        state = make(card).state_dict()
    with whole(place) as scratch:
        scratch.write_bytes(save({name: value.contiguous() for name, value in state.items()}))
