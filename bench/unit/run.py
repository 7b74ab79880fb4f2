"""The moving parts of one unit: adapt, probe, predict, keep; and go on where it was stopped.

All of it runs in the supervisor: the method is asked through its worker, and every figure is
measured here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.store import Store
from bench.models.embeddings.ledger import Ledger
from bench.record.schema import CaseResult, CurvePoint, Machine, Moment, Phase
from bench.unit import stop
from bench.unit.account import check_account
from bench.unit.aside import Aside, Spent
from bench.unit.carried import add_peaks, carried, take_up
from bench.unit.clock import BudgetClock
from bench.unit.drive import Drive, Lap, drive
from bench.unit.embeddings import keep_embeddings
from bench.unit.handed import give_copy
from bench.unit.handover import RemoteWork, image_of
from bench.unit.predicting import check_prediction, check_unchanged
from bench.unit.saved import SavedPhase
from bench.unit.savepoint import PhaseSavepoint
from bench.unit.scoring import Scorer
from bench.unit.spec import Unit
from bench.unit.throughput import measure_throughput
from bench.unit.trail import Trail
from bench.unit.worker import Worker
from bench.worker.volumes import VolumeFiles

PRETRAINED = "in/pretrained.safetensors"
ADAPTED = "in/adapted.safetensors"


@dataclass
class Run:
    """seconds  the method's own work outside its generators
    trail    what an earlier start left; None for a unit that nobody takes up
    began    when it began, earlier starts that it goes on from included
    """

    unit: Unit
    store: Store
    scorer: Scorer
    worker: Worker
    trail: Trail | None
    began: float
    machine: Machine
    curve: list[CurvePoint] = field(default_factory=list)
    seconds: float = 0.0
    probe_seconds: float = 0.0
    worker_seconds: float = 0.0
    cold: float | None = None
    predictions: dict[str, np.ndarray] = field(default_factory=dict)
    best: float | None = None
    host_peak: int = 0
    device_peaks: dict[str, int] = field(default_factory=dict)
    cpu_before: float = 0.0
    background_before: float = 0.0

    def __post_init__(self) -> None:
        self.aside = Aside(self.worker)
        self.embeddings = keep_embeddings(self.unit, self.worker)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """The method's work outside its generators, on its own account."""
        began = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - began

    def clock(self, *, charged: Phase | None) -> BudgetClock:
        budget = self.unit.request.budget
        return BudgetClock(
            seconds_limit=budget.seconds,
            steps_limit=budget.steps,
            charged_seconds=charged.seconds if charged else 0.0,
            charged_steps=charged.steps if charged else 0,
            thread_waited=self.worker.waited,
        )

    def adapt(self, clock: BudgetClock, pretrained: Path | None) -> Drive:
        """Nothing for a method without `adapt`."""
        budget = self.unit.request.budget
        oracle = self.unit.request.val == "oracle"
        self.embeddings.ledger = clock.ledger
        savepoint = self._savepoint(clock)
        work = RemoteWork(self.worker, clock)
        if pretrained is not None:
            give_copy(pretrained, self.worker.folder / PRETRAINED)
        if not work.begin(
            "adapt",
            pretrained=None if pretrained is None else PRETRAINED,
            saved=None if savepoint is None else savepoint.hand_over(),
        ):
            return Drive(phase=Phase(), laps=())
        result = drive(
            work,
            clock=clock,
            probe=self.probe if self.unit.probe else None,
            probes=max(budget.probes, 1) if oracle else budget.probes,
            savepoint=savepoint,
        )
        check_account(work, clock, self.worker)
        self.worker_seconds = work.worked
        add_peaks(self.device_peaks, work.device_peaks)
        peak = self.device_peaks.get("adapt")
        phase = result.phase.model_copy(update={"peak_device_bytes": peak})
        result = replace(result, phase=phase)
        if oracle and self.best is not None:
            self.worker.call("take_best")
        return result

    def probe(self, moment: Moment, loss: float | None) -> None:
        """One point of the curve: overlap on the probe patients, off the clock."""
        began = time.perf_counter()
        dice: dict[str, list[float]] = {name: [] for name in self.unit.data.classes}
        for case in self.unit.probe:
            prediction, _ = self.predict(self._shown(case), self.aside.probed)
            for name, score in self._score(case, prediction, boundary=False).items():
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
        if self.best is None or dice > self.best:
            with self.aside.counted(self.aside.stated):
                self.worker.call("keep_best")
            self.best = dice

    def _shown(self, case: str) -> VolumeFiles:
        """As the method may see it when it predicts."""
        return image_of(self.store, case, with_label=self.unit.needs_test_label)

    def _score(self, case: str, prediction: np.ndarray, *, boundary: bool) -> dict[str, Any]:
        with self.worker.idle():
            return self.scorer.score(case, prediction, boundary=boundary)

    def predict(self, volume: VolumeFiles, spent: Spent) -> tuple[np.ndarray, float]:
        """The method's label map and the seconds it took, held against the contract."""
        before, self.embeddings.ledger = self.embeddings.ledger, Ledger()
        try:
            with volume.opened() as (facts, files):
                computed = self.embeddings.cpu
                with self.aside.counted(spent, volume.volume.image.size):
                    began = time.perf_counter()
                    found = self.worker.call("predict", files, volume=facts)
                    seconds = time.perf_counter() - began
            self.seconds += seconds
            account = self.embeddings.ledger.account
            seconds += account.owed_seconds  # a prediction costs what it costs on a new image
            spent.cpu -= self.embeddings.cpu - computed  # other volumes' may be there already
        finally:
            self.embeddings.ledger = before
        if self.cold is None:
            self.cold = seconds
        classes = len(self.unit.data.classes)
        return check_prediction(found, self.worker.folder, volume.volume, classes), seconds

    def predict_test(self, adaptation: Drive) -> tuple[list[CaseResult], Any]:
        """Every test case, timed and scored. The first one is predicted before all others, and once
        more after them: a method that learns from what it predicts is found."""
        first, *others = self.unit.test
        state = self.aside.state(self.aside.stated)
        before, _ = self.predict(self._shown(first), self.aside.tested)
        found = {case: self._tested(case, adaptation) for case in (*others, first)}
        now = self.aside.state(self.aside.restated)
        check_unchanged(state, now, before, self.predictions[first], first, self._tolerated)
        self.aside.check(adaptation.phase.seconds)
        cases = [found[case] for case in self.unit.test]
        throughput = measure_throughput(
            laps=adaptation.laps,
            cold=self.cold,
            seconds=[case.seconds for case in cases],
            slices=[case.shape[0] for case in cases],
        )
        return cases, throughput

    @property
    def _tolerated(self) -> float:
        """Share of voxels in which two predictions of one volume may differ."""
        return 0.0 if self.unit.repeatable and self.unit.device == "cpu" else 0.02

    def _tested(self, case: str, adaptation: Drive) -> CaseResult:
        shown = self._shown(case)
        prediction, seconds = self.predict(shown, self.aside.tested)
        if self.trail is not None and stop.asked():
            self._leave_adapted(adaptation)
        self.predictions[case] = prediction
        scores = self._score(case, prediction, boundary=True)
        return CaseResult.model_validate(
            {
                "case": case,
                "patient": shown.volume.patient,
                "shape": prediction.shape,
                "spacing": shown.volume.spacing,
                "seconds": seconds,
                "classes": scores,
            }
        )

    def _savepoint(self, clock: BudgetClock) -> PhaseSavepoint | None:
        """Where the adaptation goes on, or is left."""
        if self.trail is None:
            return None
        return PhaseSavepoint(
            self.trail.state("adaptation", self.machine),
            worker=self.worker,
            clock=clock,
            gather=lambda: carried(self),
            restore=lambda found: take_up(self, found),
        )

    def resumed_adaptation(self) -> Drive | None:
        """The whole of it, where an earlier start was stopped between two predictions."""
        if self.trail is None:
            return None
        saved: SavedPhase = self.trail.state("adapted", self.machine)
        found = saved.read()
        if found is None:
            return None
        give_copy(saved.tensors, self.worker.folder / ADAPTED)
        with self.timed():
            self.worker.call("load", state=ADAPTED)
        take_up(self, found["outside"])
        laps = tuple(Lap(*lap) for lap in found["laps"])
        return Drive(phase=Phase.model_validate(found["phase"]), laps=laps)

    def _leave_adapted(self, adaptation: Drive) -> None:
        """Any method can go on from here: its state predicts as it does."""
        assert self.trail is not None
        self.worker.call("state")
        content = {
            "phase": adaptation.phase.model_dump(),
            "laps": [[lap.samples, lap.seconds] for lap in adaptation.laps],
            "outside": carried(self),
        }
        saved = self.trail.state("adapted", self.machine)
        saved.write(content, self.worker.folder / "out" / "state.safetensors")
        raise stop.Stopped(saved=True)
