"""What a worker is given of a unit: the method, its setting, the volumes of its task. Nothing of
the test set, and no path to any data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bench.contract import Progress
from bench.data.store import Store
from bench.entries import Found
from bench.protocol import UNLABELLED
from bench.record.schema import DataFacts, Request
from bench.unit.clock import BudgetClock
from bench.unit.planned import pool_store
from bench.unit.spec import PoolSource, Unit
from bench.unit.waiting import thread_waited
from bench.unit.worker import Worker
from bench.worker.volumes import VolumeFiles


def seed_of(request: Request) -> int:
    """The seed differs between draws, so that a draw also redraws what chance decides."""
    digest = hashlib.sha256(f"{request.seed}|{request.draw}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def setting_facts(
    request: Request, data: DataFacts, *, device: str, cache: str | None
) -> dict[str, Any]:
    """The fields of a `Setting`, of a unit or of its record when its method is built again."""
    return {
        "classes": list(data.classes),
        "modality": data.modality,
        "device": device,
        "seed": seed_of(request),
        "backbone": dict(request.checkpoints),
        "cache": cache,
    }


def start_method(worker: Worker, unit: Unit, found: Found, *, seed: int) -> dict[str, Any]:
    """Imports the method's code there. The name and memory of the unit's GPU, if it has one.

    seed  of the global random state that is the method's own
    """
    method = {name: getattr(found, name) for name in ("name", "origin", "package", "variant")}
    return worker.call(
        "start",
        method={**method, "folder": str(found.folder)},
        options=unit.request.options,
        setting=setting_facts(unit.request, unit.data, device=unit.device, cache=unit.cache),
        seed=seed,
        threads=unit.threads,
        memory_gb=unit.request.budget.memory_gb,
        deterministic=unit.deterministic,
    )


def give_volumes(worker: Worker, unit: Unit, store: Store, *, support: bool) -> None:
    """`support` False: images alone, for a phase that sees no label."""
    if support:
        for shown in unit.support:
            _give(worker, "support", supported(unit, store, shown.case, shown.slices))
    for volume in unlabelled(unit, store):
        _give(worker, "unlabelled", volume)


def _give(worker: Worker, role: str, volume: VolumeFiles) -> None:
    with volume.opened() as (facts, files):
        worker.call("volume", files, role=role, volume=facts)


def image_of(store: Store, case: str, *, with_label: bool = False) -> VolumeFiles:
    """A volume of a store, by its files."""
    volume = store.volume(case, with_label=with_label)
    label = store.label_file(case) if with_label else None
    return VolumeFiles(volume, image=store.image_file(case), label=label)


def supported(unit: Unit, store: Store, case: str, slices: list[int] | None) -> VolumeFiles:
    """A labelled volume; slices that the shot does not label carry UNLABELLED, never the truth."""
    files = image_of(store, case, with_label=True)
    volume = replace(files.volume, dataset=unit.request.dataset)
    if slices is None:
        return replace(files, volume=volume)
    assert volume.label is not None
    label = np.full(volume.label.shape, UNLABELLED, dtype=np.uint8)
    label[slices] = volume.label[slices]
    shown = replace(volume, label=label, labelled_slices=tuple(sorted(slices)))
    return replace(files, volume=shown, label=label)


def unlabelled(unit: Unit, store: Store) -> Iterator[VolumeFiles]:
    """Images of the pool. Two datasets may use one id: here none is used twice."""
    for case in unit.pool:
        files = image_of(store, case)
        yield replace(files, volume=replace(files.volume, dataset=unit.request.dataset))
    for source in unit.others:
        yield from _others(unit, source)


def _others(unit: Unit, source: PoolSource) -> Iterator[VolumeFiles]:
    store, name = pool_store(unit, source), source.dataset
    for case in source.cases:
        files = image_of(store, case)
        volume = replace(
            files.volume, case=f"{name}/{case}", patient=f"{name}/{files.volume.patient}"
        )
        yield replace(files, volume=replace(volume, dataset=name))


class RemoteWork:
    """A method's generator in its worker."""

    def __init__(self, worker: Worker, clock: BudgetClock) -> None:
        self._worker = worker
        self._clock = clock
        self.worked = 0.0
        self.waited_before = thread_waited()
        self.device_peaks: dict[str, int] = {}

    def begin(self, phase: str, *, pretrained: str | None, saved: str | None) -> bool:
        """Calls `pretrain` or `adapt`, on the clock. False where the method has no such phase."""
        self._clock.start()
        try:
            begun = self._worker.call(
                "begin",
                phase=phase,
                seconds_limit=self._clock.phase_seconds,
                steps_limit=self._clock.phase_steps,
                pretrained=pretrained,
                saved=saved,
            )
        finally:
            self._clock.stop()
        return bool(begun["adapts"])

    def pull(self) -> Progress | None:
        found = self._worker.call("pull", seconds=self._clock.seconds)
        if found.get("end"):
            return None
        loss = found["loss"]
        return Progress(
            steps=found["steps"],
            samples=found["samples"],
            loss=None if loss is None else found.number("loss"),
            epoch=bool(found["epoch"]),
        )

    def close(self) -> None:
        closed = self._worker.call("close", seconds=self._clock.seconds)
        self.worked, self.device_peaks = closed.number("worked"), closed["device_peaks"]
