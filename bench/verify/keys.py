"""A record's key, worked out again from its request and the data themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bench.board.recipe import words_of
from bench.data.ready import Ready, make_ready
from bench.errors import RequestError
from bench.models.checkpoints import card_of, checkpoint_hash
from bench.plan import choice_key, make_plan
from bench.record.schema import Record
from bench.registry import Registry
from bench.request.compose import compose_demand
from bench.request.demand import Demand


class NotHereError(RequestError):
    """The data or the weights of a record are not on this machine: nothing is said of its key."""


class Keys:
    """`data`: the request's `data` group: where copies are."""

    def __init__(self, registry: Registry, data: Mapping[str, Any]) -> None:
        self.registry, self.data = registry, data
        self.copies: dict[str, Ready | RequestError] = {}
        self.demands: dict[tuple[str, ...], Demand] = {}

    def of(self, record: Record) -> tuple[str, str]:
        """The fingerprint of the copy here, and the key that the request has on it today."""
        request = record.request
        words = words_of(record)
        if words not in self.demands:  # composing takes longer than all the rest
            self.demands[words] = compose_demand(words, self.registry, gpu=False)
        demand = replace(
            self.demands[words],
            shots=(request.shots,),
            draws=(request.draw,),
            seeds=(request.seed,),
            data={**self.demands[words].data, **self.data},  # its pools are looked for there, too
        )
        [choice] = demand.choices
        try:
            copy = self._copy(choice_key(choice), choice.dataset, choice.dataset_options, demand)
            for name in set(request.pool) - {"own", request.dataset}:
                self._copy(name, name, {}, demand)
            weights = {
                (family, name): checkpoint_hash(card_of(family, name), self.data.get("cache"))
                for family, name in request.checkpoints.items()
            }
        except RequestError as error:
            raise NotHereError(str(error)) from error
        copies = {choice_key(choice): copy}
        plan = make_plan(demand, self.registry, copies, device=demand.device, weights=weights)
        [unit] = plan.units
        return copy.fingerprint, unit.key

    def _copy(self, key: str, name: str, options: Mapping[str, Any], demand: Demand) -> Ready:
        """Looked for once, whether it is there or not."""
        if key not in self.copies:
            try:
                self.copies[key] = make_ready(self.registry, name, options, demand.data)
            except RequestError as error:
                self.copies[key] = error
        found = self.copies[key]
        if isinstance(found, RequestError):
            raise found
        return found
