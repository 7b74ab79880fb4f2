"""What decides an embedding beside the image."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from bench.errors import RequestError
from bench.models.checkpoints.card import CheckpointCard
from bench.models.checkpoints.file import checkpoint_hash

FORMAT = 1
"""Raised when entries of before mean something else."""

PRECISIONS = ("fp32", "bf16", "fp16")


@dataclass(frozen=True)
class Recipe:
    """Two recipes never share an entry.

    checkpoint     hash of the encoder's weights
    size           side of the square input, in pixels
    precision      what the encoder computes in: "fp32", "bf16" or "fp16"
    preprocessing  what happens between the hashed input and the network (its normalisation)
    augmentation   which random view this is; the seed and number of the copy belong into it
    output         which of the encoder's outputs are kept
    stored         what the numbers are rounded to on the disk; float32 where float16 overflows
    """

    checkpoint: str
    size: int
    precision: str
    preprocessing: str = ""
    augmentation: str = "none"
    output: str = "embedding"
    stored: Literal["float16", "float32"] = "float16"

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise RequestError(
                f"embeddings: precision {self.precision!r} is none of {', '.join(PRECISIONS)}"
            )

    def key(self, device: str) -> str:
        """16 hex digits. `device`: embeddings of another one differ, in bits and in cost."""
        facts = {"format": FORMAT, "device": device, **asdict(self)}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def recipe_for(
    card: CheckpointCard,
    cache: Path | str | None,
    *,
    size: int,
    precision: str,
    augmentation: str = "none",
    output: str = "embedding",
    stored: Literal["float16", "float32"] = "float16",
) -> Recipe:
    """The recipe of a card's encoder whose inputs pass through the card's own normalisation."""
    return Recipe(
        checkpoint=checkpoint_hash(card, cache),
        size=size,
        precision=precision,
        preprocessing=json.dumps(card.normalisation.model_dump(), sort_keys=True),
        augmentation=augmentation,
        output=output,
        stored=stored,
    )
