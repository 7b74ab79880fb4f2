"""The life of a unit, from its spec to its record. Read `run_unit` first."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from bench.energy import EnergyMeter
from bench.record.schema import Harness, Phase, Record
from bench.registry import Registry, load
from bench.unit.carried import resources as measured
from bench.unit.clock import BudgetClock
from bench.unit.convergence import converge
from bench.unit.deterministic import make_deterministic
from bench.unit.device import cap_memory, synchroniser
from bench.unit.identity import identity
from bench.unit.planned import check_method, own_store
from bench.unit.pretraining import ensure_pretrained
from bench.unit.run import Run
from bench.unit.scoring import Scorer
from bench.unit.spec import Unit
from bench.unit.task import make_setting, make_task
from bench.unit.trail import Trail


def run_unit(unit: Unit, registry: Registry, trail: Trail | None = None) -> Record:
    """Adapt, probe, predict, score. Whatever a method lets out passes through to the caller.
    `trail`: where it goes on if it was stopped before, and what it leaves if it is stopped now."""
    began, energy = time.perf_counter(), EnergyMeter(unit.device)
    if unit.deterministic is not None:
        make_deterministic(unit.device, unit.deterministic)
    cap_memory(unit.device, unit.request.budget.memory_gb)
    found, _ = registry.method(unit.request.method)
    check_method(unit, found)
    store = own_store(unit)
    with (
        tempfile.TemporaryDirectory(prefix="sambench-") as folder,
        Scorer(Path(unit.store), unit.data.classes, Path(folder)) as scorer,
    ):
        setting = make_setting(unit)
        run = Run(unit, store, scorer, setting.seed, trail, began)
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        # Importing its packages is the method's own work too: off the harness's account.
        method_class = run.timed(lambda: load(found))

        def make() -> Any:
            return method_class(SimpleNamespace(**unit.request.options), setting)

        task = make_task(unit, setting, store, scratch)
        task, pretraining = ensure_pretrained(unit, make, task)
        run.method = run.timed(make)
        clock = BudgetClock(
            seconds_limit=unit.request.budget.seconds,
            steps_limit=unit.request.budget.steps,
            charged_seconds=pretraining.seconds if pretraining else 0.0,
            charged_steps=pretraining.steps if pretraining else 0,
            synchronise=synchroniser(unit.device),
            savepoint=run.savepoint(),
        )
        adaptation = run.resumed_adaptation() or run.adapt(task, clock)
        cases, throughput = run.predict_test(adaptation)
        files = run.keep()
        resources = measured(run).model_copy(update={"energy_joules": _joules(energy, trail)})

    wall = time.perf_counter() - run.began
    here = [adaptation.phase, *([pretraining] if pretraining and not pretraining.reused else [])]
    worked = run.seconds + sum(_spent(phase) for phase in here)
    harness = Harness(
        wall_seconds=wall,
        method_seconds=worked,
        probe_seconds=run.probe_seconds,
        scoring_seconds=scorer.seconds,
        overhead_seconds=max(0.0, wall - worked - scorer.seconds),
        deterministic=unit.deterministic is not None if unit.device != "cpu" else None,
    )
    return Record(
        **identity(unit),
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
    if unit.deterministic is not None:
        make_deterministic(unit.device, unit.deterministic)
    cap_memory(unit.device, unit.request.budget.memory_gb)
    found, _ = registry.method(unit.request.method)
    check_method(unit, found)
    with tempfile.TemporaryDirectory(prefix="sambench-") as folder:
        setting = make_setting(unit)
        method_class = load(found)
        task = make_task(unit, setting, own_store(unit), Path(folder))
        ensure_pretrained(
            unit, lambda: method_class(SimpleNamespace(**unit.request.options), setting), task
        )


def _joules(energy: EnergyMeter, trail: Trail | None) -> float | None:
    """None for a unit that went on from an earlier start: nobody measured that one to its end."""
    resumed = trail is not None and any(part.resumed for part in trail.past)
    return None if resumed else energy.joules()


def _spent(phase: Phase) -> float:
    """Seconds that passed here: what the embedding cache spared was paid for, and not spent."""
    return phase.seconds - (phase.embeddings.owed_seconds if phase.embeddings else 0.0)


def set_threads(threads: int) -> None:
    torch.set_num_threads(max(1, threads))
