"""Keeps the embeddings of a worker, and charges for those that it finds."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Mapping
from typing import Any

from bench.data.places import cache_folder
from bench.models.embeddings.entry import DamagedError, Entry, parse_entry
from bench.models.embeddings.ledger import Ledger
from bench.models.embeddings.storage import FolderStorage
from bench.unit.handed import read_handed
from bench.unit.spec import Unit
from bench.unit.worker import Worker
from bench.worker.storage import OUT

_SHELF, _NAME = re.compile(r"[0-9a-f]{16}"), re.compile(r"[0-9a-f]{32}")
_MOST = 2**30
"""Bytes of one embedding."""


class EmbeddingKeeper:
    """`ledger` is that of the phase that runs; a prediction has one of its own.

    What an embedding cost is measured here: from the answer that it is missing to its arrival.
    `cpu`: all that so far, in CPU seconds.
    """

    def __init__(self, storage: FolderStorage, worker: Worker) -> None:
        self.storage = storage
        self.out = worker.folder / "out"
        worker.on("find_embeddings", self.find)
        worker.on("keep_embeddings", self.keep)
        self.ledger = Ledger()
        self._worker = worker
        self.cpu = 0.0
        self._cpu_before = 0.0
        self._answered = time.perf_counter()

    def find(self, facts: Mapping[str, Any]) -> tuple[dict[str, Any], list[int]]:
        shelf, names = _checked(facts)
        found = self.storage.find(shelf, names)
        self.ledger.enter(
            found={f"{shelf}/{name}": entry.seconds for name, entry in found.items()}, computed={}
        )
        return self._handed_over(shelf, found, waits=len(found) < len(names))

    def keep(self, facts: Mapping[str, Any]) -> tuple[dict[str, Any], list[int]]:
        shelf, names = _checked(facts)
        seconds = (time.perf_counter() - self._answered) / max(1, len(names))
        self.cpu += self._worker.cpu_seconds() - self._cpu_before
        entries = {name: self._received(place, seconds) for place, name in enumerate(names)}
        self.ledger.enter(found={}, computed={f"{shelf}/{name}": seconds for name in entries})
        kept = self.storage.keep(shelf, entries)
        stored = {name: entry for name, entry in kept.items() if entry is not entries[name]}
        return self._handed_over(shelf, stored, waits=True)

    def _received(self, place: int, seconds: float) -> Entry:
        content = read_handed(self.out / f"{OUT}{place}", most=_MOST)
        try:
            return Entry(parse_entry(content).arrays, seconds)
        except DamagedError as error:
            raise ValueError(f"an embedding that is damaged: {error}") from error

    def _handed_over(
        self, shelf: str, found: Mapping[str, Entry], *, waits: bool
    ) -> tuple[dict[str, Any], list[int]]:
        """waits: for embeddings that the worker computes now"""
        names, files = [], []
        for name in found:
            try:
                files.append(os.open(self.storage.path(shelf, name), os.O_RDONLY))
            except OSError:
                continue  # removed since: the worker computes it, or has it in memory
            names.append(name)
        if waits:
            self._cpu_before = self._worker.cpu_seconds()
        self._answered = time.perf_counter()
        return {"names": names}, files


def keep_embeddings(unit: Unit, worker: Worker) -> EmbeddingKeeper:
    """Those of a unit, in the cache folder."""
    root = cache_folder(unit.cache) / "embeddings"
    return EmbeddingKeeper(FolderStorage(root, scope=scope_of(unit)), worker)


def scope_of(unit: Unit) -> str:
    """Units that are tested on the same patients, and may see the same labels of them."""
    facts = [unit.data.fingerprint, unit.needs_test_label, sorted(unit.test)]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _checked(facts: Mapping[str, Any]) -> tuple[str, list[str]]:
    shelf, names = facts["shelf"], facts["names"]
    if not isinstance(shelf, str) or not _SHELF.fullmatch(shelf):
        raise ValueError(f"{shelf!r} is no key of a recipe")
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no hash of an image")
    return shelf, list(names)
