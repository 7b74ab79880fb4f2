"""Which weights there are, where they lie, what is known of them.

    card = card_of("sam", "vit_b")
    path = checkpoint_file(card, cache)       # downloaded and checked where it is not there

Cheap to import: torch is loaded by `reading`, `fill` and `normalise`, not from here.
"""

from bench.models.checkpoints.card import CheckpointCard, DinoCard, Sam2Card, SamCard
from bench.models.checkpoints.describe import checkpoint_rows, prepare_backbone
from bench.models.checkpoints.file import checkpoint_file, checkpoint_hash, checkpoint_place
from bench.models.checkpoints.shelf import card_of, checkpoint_cards, checkpoint_names

__all__ = [
    "CheckpointCard",
    "DinoCard",
    "Sam2Card",
    "SamCard",
    "card_of",
    "checkpoint_cards",
    "checkpoint_file",
    "checkpoint_hash",
    "checkpoint_names",
    "checkpoint_place",
    "checkpoint_rows",
    "prepare_backbone",
]
