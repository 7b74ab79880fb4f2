"""The life of a unit, from its spec to its record. Read `run_unit` first.

This process supervises: it has the labels, it scores, it measures, it writes the record. The
method runs in a worker, which has none of these (bench.worker).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.data.store import labels_folder
from bench.energy import EnergyMeter
from bench.models.checkpoints.file import weights_folder
from bench.record.schema import Harness, Phase, Record
from bench.registry import Registry
from bench.unit.carried import resources as measured
from bench.unit.convergence import converge
from bench.unit.handover import give_volumes, seed_of, start_method
from bench.unit.identity import identity
from bench.unit.kept_files import keep_files
from bench.unit.machine import machine_of
from bench.unit.planned import check_method, own_store
from bench.unit.pretraining import ensure_pretrained
from bench.unit.run import Run
from bench.unit.scoring import Scorer
from bench.unit.spec import Unit
from bench.unit.trail import Trail
from bench.unit.watch import Limits
from bench.unit.worker import Worker, WorkerProcess, start_worker

Workers = Callable[[Unit, Registry, Path], Any]
"""unit, registry, folder -> a worker that has run no method's code, for a `with` block."""


def run_unit(
    unit: Unit,
    registry: Registry,
    trail: Trail | None = None,
    *,
    workers: Workers | None = None,
) -> Record:
    """Adapt, probe, predict, score. Whatever a method lets out comes as MethodError to the caller.

    trail    where it goes on if it was stopped before, and what it leaves if it is stopped now
    workers  confined processes of their own without
    """
    began, energy = time.perf_counter(), EnergyMeter(unit.device)
    found, _ = registry.method(unit.request.method)
    check_method(unit, found)
    store = own_store(unit)
    make = workers or confined
    with tempfile.TemporaryDirectory(prefix="sambench-") as name:
        folder = Path(name)
        pretrained, pretraining = ensure_pretrained(
            unit, registry, store, lambda: make(unit, registry, folder)
        )
        with make(unit, registry, folder) as worker:
            scorer = Scorer(store, unit.data.classes)
            begun = time.perf_counter()
            facts = start_method(worker, unit, found, seed=seed_of(unit.request))
            machine = machine_of(unit, facts)
            run = Run(unit, store, scorer, worker, trail, began, machine)
            worker.call("make")  # before there is anything to learn from: no work off the clock
            give_volumes(worker, unit, store, support=True)
            # Importing its packages is the method's own work too: off the harness's account.
            run.seconds += time.perf_counter() - begun
            if trail is not None:
                trail.runs_on(machine)
            clock = run.clock(charged=pretraining)
            adaptation = run.resumed_adaptation() or run.adapt(clock, pretrained)
            cases, throughput = run.predict_test(adaptation)
            files = keep_files(unit, worker, run.predictions)
            joules = _joules(energy, trail)
            resources = measured(run).model_copy(update={"energy_joules": joules})
            cpu_seconds = run.cpu_before + worker.cpu_seconds()
            background = run.background_before + worker.background

    wall = time.perf_counter() - run.began
    here = [adaptation.phase, *([pretraining] if pretraining and not pretraining.reused else [])]
    worked = run.seconds + sum(_spent(phase) for phase in here)
    harness = Harness(
        wall_seconds=wall,
        method_seconds=worked,
        probe_seconds=run.probe_seconds,
        scoring_seconds=scorer.seconds,
        overhead_seconds=max(0.0, wall - worked - scorer.seconds),
        isolation=worker.isolation,
        worker_seconds=run.worker_seconds,
        cpu_seconds=cpu_seconds,
        background_cpu_seconds=background,
        deterministic=unit.deterministic is not None if unit.device != "cpu" else None,
        predict_limit=unit.predict_limit,
    )
    return Record(
        **identity(unit, machine),
        status="done",
        pretraining=pretraining,
        adaptation=adaptation.phase,
        curve=run.curve,
        convergence=converge(run.curve) if run.curve or not unit.probe else None,
        throughput=throughput,
        resources=resources,
        cases=cases,
        harness=harness,
        files=files,
    )


def pretrain_unit(unit: Unit, registry: Registry) -> None:
    """The pre-training that the unit shares with others, alone: stored for whoever needs it."""
    found, _ = registry.method(unit.request.method)
    check_method(unit, found)
    with tempfile.TemporaryDirectory(prefix="sambench-") as name:
        folder = Path(name)
        ensure_pretrained(unit, registry, own_store(unit), lambda: confined(unit, registry, folder))


def confined(unit: Unit, registry: Registry, folder: Path) -> WorkerProcess:
    """A worker in a process of its own, which can open no label and no data."""
    store = Path(unit.store)
    return start_worker(
        folder,
        code=[entry.folder for entry in registry.methods.values() if entry.origin != "suite"],
        weights=weights_folder(unit.cache),
        private=[
            *(store, labels_folder(store), Path(unit.results)),
            *(Path(other.store) for other in unit.others),
            *(labels_folder(Path(other.store)) for other in unit.others),
            *(Path(root) for root in unit.data_roots),
        ],
        limits=Limits(predict=unit.predict_limit),
    )


@contextmanager
def inline(unit: Unit, registry: Registry, folder: Path) -> Iterator[Worker]:
    """A worker in this process: nothing is confined, and the record says so."""
    from bench.unit.inline_worker import start_inline  # torch, which only a worker needs

    with start_inline(folder) as worker:
        yield worker


def _joules(energy: EnergyMeter, trail: Trail | None) -> float | None:
    """None for a unit that went on from an earlier start: nobody measured that one to its end."""
    resumed = trail is not None and any(part.resumed for part in trail.past)
    return None if resumed else energy.joules()


def _spent(phase: Phase) -> float:
    """Seconds that passed here: what the embedding cache spared was paid for, and not spent."""
    return phase.seconds - (phase.embeddings.owed_seconds if phase.embeddings else 0.0)
