"""Whose unlabelled images are asked for: `pool=own`, or the names of datasets."""

from __future__ import annotations

from collections.abc import Sequence

from bench.cards import MethodCard
from bench.errors import RequestError, unknown
from bench.registry import Found, Registry

OWN = "own"
"""The training patients of the dataset that a unit is about."""


def checked_pool(
    names: Sequence[str], methods: Sequence[Found], registry: Registry
) -> tuple[str, ...]:
    """The names, each once; refused where one is mistyped, or where nobody would look."""
    pool = tuple(dict.fromkeys(names))
    for name in pool:
        if name == OWN:
            continue
        if name not in registry.datasets:
            raise unknown("dataset for pool", name, (OWN, *registry.available("dataset")))
        registry.dataset(name)
    if pool != (OWN,) and not any(_looks(found) for found in methods):
        chosen = ", ".join(found.name for found in methods)
        raise RequestError(
            f"pool={','.join(pool)}: no unlabelled image is seen by {chosen}; leave pool= out"
        )
    return pool


def _looks(found: Found) -> bool:
    return isinstance(found.card, MethodCard) and found.card.unlabelled_images


def pool_of(pool: Sequence[str], dataset: str) -> tuple[str, ...]:
    """The pool of a unit about `dataset`: ("own",), or the names of all its datasets, sorted."""
    names = sorted({dataset if name == OWN else name for name in pool})
    return (OWN,) if names == [dataset] else tuple(names)
