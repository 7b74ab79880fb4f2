"""What a method gets to see: the support's labels, the pool's images, nothing of the test set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.contract import Setting, Task, Volume
from bench.data.store import Store, open_store
from bench.protocol import UNLABELLED
from bench.unit.spec import PoolSource, Unit


def make_setting(unit: Unit) -> Setting:
    """The seed differs between draws, so that a draw also redraws what chance decides."""
    request = unit.request
    digest = hashlib.sha256(f"{request.seed}|{request.draw}".encode()).digest()
    return Setting(
        classes=tuple(unit.data.classes),
        modality=unit.data.modality,
        device=unit.device,
        seed=int.from_bytes(digest[:4], "big") >> 1,
        backbone=request.checkpoints,
        cache=None if unit.cache is None else Path(unit.cache),
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
            *(volume for source in unit.others for volume in _others(source)),
        ),
        scratch=scratch,
    )


def _others(source: PoolSource) -> Iterator[Volume]:
    """Images of another dataset. Two datasets may use one id: here none is used twice."""
    store, name = open_store(Path(source.store)), source.dataset
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
