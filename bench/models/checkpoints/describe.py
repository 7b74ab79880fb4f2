"""Checkpoints in words, and made ready by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.fetch import Meter
from bench.models.checkpoints.card import CheckpointCard
from bench.models.checkpoints.file import checkpoint_file, checkpoint_hash, checkpoint_place
from bench.models.checkpoints.shelf import card_of, checkpoint_cards


def prepare_backbone(
    names: Mapping[str, str],
    cache: Path | str | None = None,
    *,
    progress: Meter | None = None,
) -> list[str]:
    """Family -> checkpoint name: every file there and checked; a line on each, in that order."""
    cards = [card_of(family, name) for family, name in names.items()]
    lines = []
    for card in cards:
        place = checkpoint_file(card, cache, progress=progress)
        size = f"{place.stat().st_size / 1e6:.1f} MB"
        kind, _, digest = checkpoint_hash(card, cache).rpartition(":")
        lines.append(
            f"{card.family} {card.name}: {card.title}, {size} in {place}, "
            f"{kind or 'sha256'} {digest[:12]}, {card.licence}; trained on {card.trained_on}"
        )
    return lines


def checkpoint_rows(cache: Path | str | None = None) -> list[dict[str, str]]:
    """A row a checkpoint, for tables; nothing is downloaded or read but the cards."""
    return [
        {
            "family": card.family,
            "name": card.name,
            "title": card.title,
            "size": _size(card),
            "input": f"{card.input_size} px",
            "licence": card.licence,
            "trained on": card.trained_on,
            "here": "yes" if checkpoint_place(card, cache).is_file() else "no",
        }
        for cards in checkpoint_cards().values()
        for card in cards.values()
    ]


def _size(card: CheckpointCard) -> str:
    if card.shipped:
        return "shipped"
    if card.manual:
        return "by hand"
    if card.untrained:
        return "drawn"
    return "not stated" if card.bytes is None else f"{card.bytes / 1e6:.1f} MB"
