"""What a method gets to see: the support's labels, the pool's images, nothing of the test set."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.contract import Setting, Task, Volume
from bench.data.store import Store
from bench.protocol import UNLABELLED
from bench.unit.spec import Unit


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
    return Task(
        setting=setting,
        support=tuple(_supported(store, s.case, s.slices) for s in unit.support),
        unlabelled=tuple(store.volume(case, with_label=False) for case in unit.pool),
        scratch=scratch,
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
