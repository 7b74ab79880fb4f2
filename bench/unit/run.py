"""The moving parts of one unit: adapt, probe, predict, keep; and go on where it was stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.contract import Volume
from bench.data.store import Store
from bench.models.embeddings.ledger import Ledger
from bench.record.schema import CaseResult, CurvePoint, Files, Moment, Phase
from bench.record.whole import clear_scratch, whole
from bench.unit import stop
from bench.unit.carried import carried, take_up
from bench.unit.clock import BudgetClock
from bench.unit.device import ADAPT, PREDICT, DevicePeaks, synchroniser
from bench.unit.drive import Drive, Lap, drive
from bench.unit.predicting import checked
from bench.unit.rng import RandomStream, prediction_stream
from bench.unit.savepoint import Savepoint
from bench.unit.scoring import Scorer
from bench.unit.spec import Unit
from bench.unit.state import save_state, snapshot
from bench.unit.throughput import measure_throughput
from bench.unit.trail import Trail


@dataclass
class Run:
    """seconds  the method's own work outside its generators
    trail    what an earlier start left; None for a unit that nobody takes up
    began    when it began, earlier starts that it goes on from included
    """

    unit: Unit
    store: Store
    scorer: Scorer
    seed: int
    trail: Trail | None
    began: float
    method: Any = None
    curve: list[CurvePoint] = field(default_factory=list)
    seconds: float = 0.0
    probe_seconds: float = 0.0
    cold: float | None = None
    predictions: dict[str, np.ndarray] = field(default_factory=dict)
    best: tuple[float, dict[str, Any]] | None = None
    host_peak: int = 0

    def __post_init__(self) -> None:
        self.peaks = DevicePeaks(self.unit.device)
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
        with self.peaks.of(ADAPT):
            result = drive(
                self.method.adapt(task, clock),
                clock=clock,
                random=self.random,
                probe=self.probe if self.unit.probe else None,
                probes=max(budget.probes, 1) if oracle else budget.probes,
            )
        peak = {"peak_device_bytes": self.peaks.found.get(ADAPT)}
        result = replace(result, phase=result.phase.model_copy(update=peak))
        if oracle and self.best is not None:
            self.method.load_state_dict(self.best[1])
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
        if self.best is None or dice > self.best[0]:
            self.best = (dice, snapshot(self.method.state_dict()))

    def predict(self, volume: Volume) -> tuple[np.ndarray, float]:
        """The method's label map and the seconds it took, held against the contract."""
        synchronise = synchroniser(self.unit.device)
        ledger = Ledger()
        synchronise()
        began = time.perf_counter()
        # The same stream for every volume and probe.
        with self.peaks.of(PREDICT), prediction_stream(self.seed).use(), ledger.use():
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
            if self.trail is not None and stop.asked():
                self.leave_adapted(adaptation)
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

    def savepoint(self) -> Savepoint | None:
        """Where the adaptation goes on, or is left."""
        if self.trail is None:
            return None
        return Savepoint(
            self.trail.state("adaptation"),
            gather=lambda: carried(self),
            restore=lambda found: take_up(self, found),
        )

    def resumed_adaptation(self) -> Drive | None:
        """The whole of it, where an earlier start was stopped between two predictions."""
        found = None if self.trail is None else self.trail.state("adapted").read()
        if found is None:
            return None
        self.timed(lambda: self.method.load_state_dict(found["method"]))
        take_up(self, found["outside"])
        laps = tuple(Lap(*lap) for lap in found["laps"])
        return Drive(phase=Phase.model_validate(found["phase"]), laps=laps)

    def leave_adapted(self, adaptation: Drive) -> None:
        """Any method can go on from here: its state predicts as it does."""
        assert self.trail is not None
        self.trail.state("adapted").write(
            {
                "method": dict(self.method.state_dict()),
                "phase": adaptation.phase.model_dump(),
                "laps": [[lap.samples, lap.seconds] for lap in adaptation.laps],
                "outside": carried(self),
            }
        )
        raise stop.Stopped(saved=True)

    def keep(self) -> Files:
        """Predictions as compressed label maps, the state as safetensors: where asked."""
        results, key = Path(self.unit.results), self.unit.key
        folder, state = f"predictions/{key}", f"states/{key}.safetensors"
        for case, label in self.predictions.items():
            path = results / folder / f"{case}.npz"
            clear_scratch(path)
            with whole(path) as scratch, scratch.open("wb") as file:
                np.savez_compressed(file, label=label)
        if "state" in self.unit.keep:
            clear_scratch(results / state)
            save_state(results / state, self.method.state_dict())
        return Files(
            log=f"logs/{key}.log" if (results / f"logs/{key}.log").is_file() else None,
            predictions=folder if self.predictions else None,
            state=state if "state" in self.unit.keep else None,
        )
