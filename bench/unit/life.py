"""The life of a unit, from its spec to its record. Read `run_unit` first."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from bench.contract import Volume
from bench.data.store import Store, open_store
from bench.models.embeddings.ledger import Ledger
from bench.protocol import VERSION
from bench.record.schema import (
    CaseResult,
    CurvePoint,
    Files,
    Harness,
    Moment,
    Phase,
    Record,
)
from bench.registry import Registry, load
from bench.unit.clock import BudgetClock
from bench.unit.convergence import converge
from bench.unit.device import cap_memory, measure_resources, synchroniser
from bench.unit.drive import Drive, drive
from bench.unit.machine import describe_machine, versions
from bench.unit.predicting import checked
from bench.unit.pretraining import ensure_pretrained
from bench.unit.rng import RandomStream
from bench.unit.scoring import Scorer
from bench.unit.spec import Unit
from bench.unit.state import save_state, snapshot
from bench.unit.task import make_setting, make_task
from bench.unit.throughput import measure_throughput


def run_unit(unit: Unit, registry: Registry) -> Record:
    """Adapt, probe, predict, score. Whatever a method lets out passes through to the caller."""
    began = time.perf_counter()
    cap_memory(unit.device, unit.request.budget.memory_gb)
    found, _ = registry.method(unit.request.method)
    store = open_store(Path(unit.store))
    with (
        tempfile.TemporaryDirectory(prefix="sambench-") as folder,
        Scorer(Path(unit.store), unit.data.classes, Path(folder)) as scorer,
    ):
        setting = make_setting(unit)
        run = _Run(unit, store, scorer, setting.seed)
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
        )
        adaptation = run.adapt(task, clock)
        cases, throughput = run.predict_test(adaptation)
        files = run.keep()
        resources = measure_resources(run.method, unit.device)

    wall = time.perf_counter() - began
    here = [adaptation.phase, *([pretraining] if pretraining and not pretraining.reused else [])]
    worked = run.seconds + sum(_spent(phase) for phase in here)
    harness = Harness(
        wall_seconds=wall,
        method_seconds=worked,
        probe_seconds=run.probe_seconds,
        scoring_seconds=scorer.seconds,
        overhead_seconds=max(0.0, wall - worked - scorer.seconds),
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


def identity(unit: Unit) -> dict[str, Any]:
    """What a record of this unit says whether it succeeds or not."""
    return {
        "protocol": VERSION,
        "key": unit.key,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "request": unit.request,
        "method": unit.method,
        "data": unit.data,
        "machine": describe_machine(unit.device, unit.threads),
        "versions": versions(),
    }


def _spent(phase: Phase) -> float:
    """Seconds that passed here: what the embedding cache spared was paid for, and not spent."""
    return phase.seconds - (phase.embeddings.owed_seconds if phase.embeddings else 0.0)


@dataclass
class _Run:
    """The moving parts of one unit. `seconds`: the method's own work outside its generators."""

    unit: Unit
    store: Store
    scorer: Scorer
    seed: int
    method: Any = None
    curve: list[CurvePoint] = field(default_factory=list)
    seconds: float = 0.0
    probe_seconds: float = 0.0
    cold: float | None = None
    predictions: dict[str, np.ndarray] = field(default_factory=dict)
    _best: tuple[float, dict[str, Any]] | None = None

    def __post_init__(self) -> None:
        self.random = RandomStream(self.seed)

    def timed(self, work: Callable[[], Any]) -> Any:
        """The method's work, in its own random state, on its own account."""
        began = time.perf_counter()
        with self.random.use():
            result = work()
        self.seconds += time.perf_counter() - began
        return result

    def adapt(self, task: Any, clock: BudgetClock) -> Drive:
        if not hasattr(self.method, "adapt"):
            return Drive(phase=Phase(), laps=())
        budget = self.unit.request.budget
        oracle = self.unit.request.val == "oracle"
        result = drive(
            self.method.adapt(task, clock),
            clock=clock,
            random=self.random,
            probe=self.probe if self.unit.probe else None,
            probes=max(budget.probes, 1) if oracle else budget.probes,
        )
        if oracle and self._best is not None:
            self.method.load_state_dict(self._best[1])
        return result

    def probe(self, moment: Moment, loss: float | None) -> None:
        """One point of the curve: overlap on the probe patients, off the clock."""
        began = time.perf_counter()
        dice: dict[str, list[float]] = {name: [] for name in self.unit.data.classes}
        for case in self.unit.probe:
            volume = self.store.volume(case, with_label=self.unit.needs_test_label)
            prediction, _ = self.predict(volume)
            for name, score in self.scorer.score(case, prediction, boundary=False).items():
                found = score["tp"] * 2 + score["fp"] + score["fn"]
                if found:
                    dice[name].append(2 * score["tp"] / found)
        means = {name: float(np.mean(values)) if values else None for name, values in dice.items()}
        present = [mean for mean in means.values() if mean is not None]
        overall = float(np.mean(present)) if present else None
        self.curve.append(CurvePoint(**moment.model_dump(), loss=loss, dice=overall, classes=means))
        if self.unit.request.val == "oracle" and overall is not None:
            self._keep_best(overall)
        self.probe_seconds += time.perf_counter() - began

    def _keep_best(self, dice: float) -> None:
        if self._best is None or dice > self._best[0]:
            self._best = (dice, snapshot(self.method.state_dict()))

    def predict(self, volume: Volume) -> tuple[np.ndarray, float]:
        """The method's label map and the seconds it took, held against the contract."""
        synchronise = synchroniser(self.unit.device)
        ledger = Ledger()
        synchronise()
        began = time.perf_counter()
        # The same stream for every volume and probe.
        with RandomStream(self.seed + 1).use(), ledger.use():
            prediction = self.method.predict(volume)
        synchronise()
        seconds = time.perf_counter() - began
        self.seconds += seconds
        seconds += ledger.account.owed_seconds  # a prediction costs what it costs on a new image
        if self.cold is None:
            self.cold = seconds
        return checked(prediction, volume, len(self.unit.data.classes)), seconds

    def predict_test(self, adaptation: Drive) -> tuple[list[CaseResult], Any]:
        """Every test case: predicted warm and timed, then scored by the other process."""
        test = [
            self.store.volume(case, with_label=self.unit.needs_test_label)
            for case in self.unit.test
        ]
        if self.cold is None:
            self.predict(test[0])
        cases: list[CaseResult] = []
        for volume in test:
            prediction, seconds = self.predict(volume)
            if "predictions" in self.unit.keep:
                self.predictions[volume.case] = prediction.copy()
            scores = self.scorer.score(volume.case, prediction, boundary=True)
            cases.append(
                CaseResult.model_validate(
                    {
                        "case": volume.case,
                        "patient": volume.patient,
                        "shape": volume.image.shape,
                        "spacing": volume.spacing,
                        "seconds": seconds,
                        "classes": scores,
                    }
                )
            )
        throughput = measure_throughput(
            laps=adaptation.laps,
            cold=self.cold,
            seconds=[case.seconds for case in cases],
            slices=[case.shape[0] for case in cases],
        )
        return cases, throughput

    def keep(self) -> Files:
        """Predictions as compressed label maps, the state as safetensors: where asked."""
        results, key = Path(self.unit.results), self.unit.key
        folder, state = f"predictions/{key}", f"states/{key}.safetensors"
        if self.predictions:
            (results / folder).mkdir(parents=True, exist_ok=True)
            for case, label in self.predictions.items():
                np.savez_compressed(results / folder / f"{case}.npz", label=label)
        if "state" in self.unit.keep:
            save_state(results / state, self.method.state_dict())
        return Files(
            log=f"logs/{key}.log" if (results / f"logs/{key}.log").is_file() else None,
            predictions=folder if self.predictions else None,
            state=state if "state" in self.unit.keep else None,
        )


def set_threads(threads: int) -> None:
    torch.set_num_threads(max(1, threads))
