"""The images without labels of a unit: of its own dataset's training patients, or of several's.

Test patients of each of these datasets are left out here, so that no method has to think of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.data.ready import Ready, committed_book, make_ready
from bench.data.splits import Drawn
from bench.errors import RequestError
from bench.keys import copy_key
from bench.record.schema import PoolFacts, Request
from bench.registry import Registry
from bench.request.demand import Demand
from bench.request.pool import OWN, pool_of
from bench.unit.spec import PoolSource


def pool_copies(demand: Demand, registry: Registry, ready: Mapping[str, Ready]) -> dict[str, Ready]:
    """The copies that only give unlabelled images, by dataset: their own default options, and the
    request's `data` group."""
    copies: dict[str, Ready] = {}
    hash_ids = demand.data.get("hash_ids", False)
    for name in sorted({n for c in demand.choices for n in _others(demand.pool, c.dataset)}):
        found, card = registry.dataset(name)
        # Published ids stay: no record names a case that is only in the pool.
        data = {**demand.data, "hash_ids": hash_ids and committed_book(found, card) is None}
        known = ready.get(copy_key(name, card.defaults))
        try:
            copies[name] = known or make_ready(registry, name, {}, data)
        except RequestError as error:
            raise RequestError(f"pool={','.join(demand.pool)}: {error}") from None
    return copies


def _others(pool: Sequence[str], dataset: str) -> list[str]:
    """Of a unit's pool, the other datasets."""
    return [name for name in pool_of(pool, dataset) if name not in (OWN, dataset)]


@dataclass(frozen=True)
class Pool:
    """A unit's: what is in its record, what is in its keys, what it reads. `facts` are empty where
    the pool is the dataset's own."""

    cases: list[str]
    others: tuple[PoolSource, ...]
    facts: list[PoolFacts]
    content: Any


def unit_pool(request: Request, copy: Ready, drawn: Drawn, pools: Mapping[str, Ready]) -> Pool:
    """Sorted: the order of a draw is no part of what may be learnt without labels."""
    given = {name: pools[name] for name in _others(request.pool, request.dataset)}
    whole = list(request.pool) == [OWN]
    own = sorted(drawn.pool) if whole or request.dataset in request.pool else []
    others = {name: list(other.training()) for name, other in given.items()}
    for name, cases in others.items():
        if not cases:
            raise RequestError(f"pool: no training patient of {name} is in this copy of it")
    if whole:
        return Pool(cases=own, others=(), facts=[], content=own)
    facts = []
    for name in request.pool:
        this = given.get(name, copy)
        split = drawn.split if name == request.dataset else this.book.default
        facts.append(
            PoolFacts(
                dataset=name,
                name=this.name,
                fingerprint=this.fingerprint,
                split_sha256=this.split_hash(split),
                cases=len(others.get(name, own)),
            )
        )
    return Pool(
        cases=own,
        others=tuple(
            PoolSource(dataset=name, store=str(other.store.folder.resolve()), cases=others[name])
            for name, other in given.items()
        ),
        facts=facts,
        content=[[f.dataset, f.fingerprint, others.get(f.dataset, own)] for f in facts],
    )
