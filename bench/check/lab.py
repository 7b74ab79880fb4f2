"""The suite's laboratory: small stores cut from the default data, and units run on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bench.contract import Copy, RawCase, Source, Volume
from bench.data.prepare import prepare
from bench.data.store import Store, open_store
from bench.plan import key_of
from bench.record.schema import NO_BACKBONE, BudgetSpec, DataFacts, MethodFacts, Record, Request
from bench.registry import Registry, make_options, source_hash
from bench.unit.embeddings import keep_embeddings
from bench.unit.handed import give_copy
from bench.unit.handover import seed_of, start_method
from bench.unit.life import Workers, inline, run_unit
from bench.unit.predicting import check_prediction
from bench.unit.spec import PretrainSpec, Support, Unit
from bench.unit.state import load_state
from bench.unit.stop import Stopped, asked_at
from bench.unit.trail import Trail
from bench.unit.worker import Worker
from bench.worker.volumes import in_memory

STEPS = 12
"""Optimiser steps of a unit that need not learn anything."""


@dataclass(frozen=True)
class Given:
    """A dataset of volumes that are already in memory."""

    volumes: tuple[Volume, ...]

    def find(self) -> Copy:
        sources = tuple(Source(case=v.case, patient=v.patient) for v in self.volumes)
        return Copy(layout="memory", root=None, sources=sources)

    def read(self, source: Source) -> RawCase:
        volume = next(v for v in self.volumes if v.case == source.case)
        assert volume.label is not None
        return RawCase(
            image=np.array(volume.image), label=np.array(volume.label), spacing=volume.spacing
        )


@dataclass(frozen=True)
class Result:
    """A unit's record, its predictions and the state it kept."""

    unit: Unit
    record: Record
    predictions: Mapping[str, np.ndarray]
    state: Mapping[str, Any]


@dataclass(frozen=True)
class Lab:
    """volumes  labelled ones of the default dataset, at least four
    cache    where weights and embeddings lie; None: the user's own
    workers  where the method runs; without, in this process
    """

    registry: Registry
    method: str
    options: Mapping[str, Any]
    backbone: Mapping[str, str]
    folder: Path
    volumes: tuple[Volume, ...]
    classes: tuple[str, ...]
    modality: str
    device: str
    cache: str | None = None
    workers: Workers = inline

    def store(self, name: str, volumes: Sequence[Volume]) -> Store:
        folder = self.folder / name
        if not folder.exists():
            prepare(
                Given(tuple(volumes)),
                name=name,
                folder=folder,
                classes=self.classes,
            )
        return open_store(folder)

    def unit(
        self,
        store: Store,
        *,
        support: Sequence[str],
        test: Sequence[str],
        budget: BudgetSpec,
        slices: Mapping[str, list[int]] | None = None,
        probe: Sequence[str] = (),
        run: str = "",
    ) -> Unit:
        found, card = self.registry.method(self.method)
        options = vars(make_options(found, self.options))
        families = card.families(options)
        request = Request(
            method=self.method,
            options=options,
            dataset="check",
            shots=str(len(support)),
            draw="0",
            seed=0,
            budget=budget,
            backbone=self.backbone["name"] if families else NO_BACKBONE,
            checkpoints={family: self.backbone[family] for family in families},
        )
        pretrains = card.pretrains(options)
        # As in a real unit: all that are not tested, whether they are labelled or looked at or not.
        pool = [known.case for known in store.manifest.cases if known.case not in test]
        return Unit(
            key=key_of({"store": str(store.folder), "run": run, "budget": budget.model_dump()}),
            request=request,
            method=MethodFacts(
                title=card.title, block=card.block, source_sha256=source_hash(found.folder)
            ),
            data=DataFacts(
                name="check",
                fingerprint=store.manifest.fingerprint,
                modality=self.modality,
                classes=list(self.classes),
                split="check",
                split_sha256="",
                spacing="file",
                support=list(support),
                support_slices=0,
                pool=len(pool),
                probe=list(probe),
                test=list(test),
            ),
            support=[Support(case=case, slices=(slices or {}).get(case)) for case in support],
            pool=pool,
            probe=list(probe),
            test=list(test),
            store=str(store.folder),
            results=str(self.folder / "results"),
            keep=("predictions", "state"),
            device=self.device,
            cache=self.cache,
            pretrain=None
            if pretrains is None
            else PretrainSpec(key=key_of({"run": run}), share=pretrains.share),
            needs_test_label=card.needs_test_label,
            repeatable=card.repeatable,
            deterministic=card.repeatable_on_cuda,
        )

    def _run(self, unit: Unit, trail: Trail) -> Record:
        return run_unit(unit, self.registry, trail, workers=self.workers)

    def stop(self, unit: Unit, *, look: int) -> str | None:
        """Stops it with its state saved, or says why that cannot be."""
        early, late = 0, None  # looks before there was anything to save, and after its end
        while not (saved := self._stopped(unit, look=look)):
            early, late = (early, look) if saved is None else (look, late)
            if not early:
                return "it ended before it could be stopped"
            if late is not None and late - early <= 1:
                return "it never calls clock.resume: a stopped unit begins anew"
            look = 2 * early if late is None else (early + late) // 2
        return None

    def _stopped(self, unit: Unit, *, look: int) -> bool | None:
        """Starts it and asks it to stop. Whether it saved its state; None: it was through."""
        trail = Trail(unit)
        trail.begin()
        try:
            with asked_at(look):
                self._run(unit, trail)
        except Stopped as stopped:
            assert trail.machine is not None
            adapted = trail.state("adapted", trail.machine)
            if adapted.facts.is_file():  # between two predictions, where every method can stop
                adapted.clear()
                return None
            trail.stopped(saved=stopped.saved)
            return stopped.saved
        return None

    def run(self, unit: Unit) -> Result:
        """Runs it in this process, from where it was stopped; whatever the method lets out passes
        through."""
        record = self._run(unit, Trail(unit))
        Trail(unit).clear()
        results = Path(unit.results)
        assert record.files.predictions is not None
        assert record.files.state is not None
        folder = results / record.files.predictions
        predictions = {case: np.load(folder / f"{case}.npz")["label"] for case in unit.test}
        return Result(unit, record, predictions, load_state(results / record.files.state))

    @contextmanager
    def revived(self, result: Result) -> Iterator[Callable[[Volume], np.ndarray]]:
        """`predict` of a new instance of the method with the result's state loaded."""
        with self._started(result.unit) as worker:
            worker.call("make")
            assert result.record.files.state is not None
            state = Path(result.unit.results) / result.record.files.state
            give_copy(state, worker.folder / "in" / "state.safetensors")
            worker.call("load", state="in/state.safetensors")

            def predict(volume: Volume) -> np.ndarray:
                with in_memory(volume).opened() as (facts, files):
                    found = worker.call("predict", files, volume=facts)
                return check_prediction(found, worker.folder, volume, len(self.classes))

            yield predict

    def global_state(self, unit: Unit) -> dict[str, str]:
        """Of the process in which the method runs, its code imported: what it is -> a hash."""
        with self._started(unit) as worker:
            return worker.call("traces")

    @contextmanager
    def _started(self, unit: Unit) -> Iterator[Worker]:
        found, _ = self.registry.method(self.method)
        with (
            TemporaryDirectory(dir=self.folder) as folder,
            self.workers(unit, self.registry, Path(folder)) as worker,
        ):
            keep_embeddings(unit, worker)
            start_method(worker, unit, found, seed=seed_of(unit.request))
            yield worker


def steps_budget(steps: int = STEPS, *, probes: int = 0) -> BudgetSpec:
    return BudgetSpec(name=f"{steps} steps", steps=steps, probes=probes)


def seconds_budget(seconds: float) -> BudgetSpec:
    return BudgetSpec(name=f"{seconds:g} s", seconds=seconds, probes=0)


def relabelled(volume: Volume, change: Callable[[np.ndarray], np.ndarray]) -> Volume:
    assert volume.label is not None
    return replace(volume, label=change(np.array(volume.label)))
