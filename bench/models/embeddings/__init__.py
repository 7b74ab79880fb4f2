"""Embeddings of frozen encoders, computed once and shared by all methods and units.

    cache = open_cache(setting.cache, device=setting.device)
    recipe = recipe_for(card, setting.cache, size=512, precision="fp32")
    kept = cache.embed(encode, volume_inputs(volume, Canvas(512)), recipe=recipe)
    x = kept.take([0, 3, 5])                  # (3, C, h, w) float16 on the CPU

`docs/embeddings.md` says how it is kept, bounded and charged. The names are imported when they are
asked for: a unit's supervisor uses the files of this room that need no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.models.embeddings.cache import EmbeddingCache, open_cache
    from bench.models.embeddings.embedded import Embedded
    from bench.models.embeddings.inputs import Inputs, image_inputs, volume_inputs
    from bench.models.embeddings.ledger import Account, Ledger, current_ledger
    from bench.models.embeddings.recipe import Recipe, recipe_for

_PLACES = {
    **dict.fromkeys(("EmbeddingCache", "open_cache"), "cache"),
    **dict.fromkeys(("Embedded",), "embedded"),
    **dict.fromkeys(("Inputs", "image_inputs", "volume_inputs"), "inputs"),
    **dict.fromkeys(("Account", "Ledger", "current_ledger"), "ledger"),
    **dict.fromkeys(("Recipe", "recipe_for"), "recipe"),
}

__all__ = [
    "Account",
    "Embedded",
    "EmbeddingCache",
    "Inputs",
    "Ledger",
    "Recipe",
    "current_ledger",
    "image_inputs",
    "open_cache",
    "recipe_for",
    "volume_inputs",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
