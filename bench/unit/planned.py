"""Does a unit find what it was planned on?

Hours may lie between: a label is corrected and its copy prepared again, a method is edited. The
unit's key and its record name what was there then, so it must not run on what is there now.
"""

from __future__ import annotations

from pathlib import Path

from bench.data.manifest import MANIFEST
from bench.data.store import Store, open_store
from bench.registry import Found, source_hash
from bench.unit.spec import PoolSource, Unit
from bench.unit.stop import Changed


def check_method(unit: Unit, found: Found) -> None:
    if source_hash(found.folder) != unit.method.source_sha256:
        raise Changed(f"the code of {unit.request.method} was changed since this was planned")


def own_store(unit: Unit) -> Store:
    return _planned(Path(unit.store), unit.data.fingerprint, unit.request.dataset)


def pool_store(unit: Unit, source: PoolSource) -> Store:
    """Of another dataset in the unit's pool."""
    prints = {part.dataset: part.fingerprint for part in unit.data.pools}
    return _planned(Path(source.store), prints[source.dataset], source.dataset)


def _planned(folder: Path, fingerprint: str, dataset: str) -> Store:
    if not (folder / MANIFEST).is_file():
        raise Changed(f"the copy of {dataset} is being prepared again, or was removed")
    store = open_store(folder)
    if store.manifest.fingerprint != fingerprint:
        raise Changed(f"the copy of {dataset} was changed since this was planned")
    return store
