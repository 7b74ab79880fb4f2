"""What a method gets to see: the support's labels, the pool's images, nothing of the test set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.contract import Setting, Task, Volume
from bench.data.store import Store
from bench.protocol import UNLABELLED
from bench.record.schema import DataFacts, Request
from bench.unit.planned import pool_store
from bench.unit.spec import PoolSource, Unit


def make_setting(unit: Unit) -> Setting:
    return setting_of(unit.request, unit.data, device=unit.device, cache=unit.cache)


def setting_of(request: Request, data: DataFacts, *, device: str, cache: str | None) -> Setting:
    """Of a unit, or of its record when its method is built again. The seed differs between draws,
    so that a draw also redraws what chance decides."""
    digest = hashlib.sha256(f"{request.seed}|{request.draw}".encode()).digest()
    return Setting(
        classes=tuple(data.classes),
        modality=data.modality,
        device=device,
        seed=int.from_bytes(digest[:4], "big") >> 1,
        backbone=request.checkpoints,
        cache=None if cache is None else Path(cache),
    )


def make_task(unit: Unit, setting: Setting, store: Store, scratch: Path) -> Task:
    own = unit.request.dataset
    return Task(
        setting=setting,
        support=tuple(
            replace(_supported(store, s.case, s.slices), dataset=own) for s in unit.support
        ),
        unlabelled=(
            *(replace(store.volume(case, with_label=False), dataset=own) for case in unit.pool),
            *(volume for source in unit.others for volume in _others(unit, source)),
        ),
        scratch=scratch,
    )


def _others(unit: Unit, source: PoolSource) -> Iterator[Volume]:
    """Images of another dataset. Two datasets may use one id: here none is used twice."""
    store, name = pool_store(unit, source), source.dataset
    for case in source.cases:
        volume = store.volume(case, with_label=False)
        yield replace(
            volume, case=f"{name}/{case}", patient=f"{name}/{volume.patient}", dataset=name
        )


def _supported(store: Store, case: str, slices: list[int] | None) -> Volume:
    """A labelled volume; slices that the shot does not label carry UNLABELLED, never the truth."""
    volume = store.volume(case, with_label=True)
    if slices is None:
        return volume
    assert volume.label is not None
    label = np.full(volume.label.shape, UNLABELLED, dtype=np.uint8)
    label[slices] = volume.label[slices]
    label.flags.writeable = False
    return replace(volume, label=label, labelled_slices=tuple(sorted(slices)))
