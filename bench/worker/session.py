"""What a worker does when its supervisor asks: build the method, pull it, let it predict.

It keeps no score and writes no record. Every answer is a small dict; what is large lies in a file
of the unit's folder. The same class serves a process of its own and `executor=inline`.
"""

from __future__ import annotations

import inspect
import shutil
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
import torch

from bench.cards import OnCuda
from bench.contract import Progress, Setting, Task, Volume
from bench.entries import Found, read_entries
from bench.errors import reason_of
from bench.models.embeddings.ledger import Ledger
from bench.models.embeddings.storage import use_storage
from bench.registry import load
from bench.unit.device import (
    DevicePeaks,
    cap_memory,
    device_facts,
    make_deterministic,
    synchroniser,
)
from bench.unit.rng import RandomStream, prediction_stream
from bench.unit.state import load_state, save_state, snapshot, state_hash
from bench.worker.clock import MethodClock
from bench.worker.resume import SavedParts
from bench.worker.storage import RemoteStorage
from bench.worker.volumes import received

Reply = dict[str, Any]


class Ask(Protocol):
    """A question to the supervisor while it waits for an answer."""

    def __call__(
        self, question: str, files: Sequence[int] = (), **facts: Any
    ) -> tuple[Reply, list[int]]: ...


@dataclass
class Session:
    """folder  the only one that may be written: `in/`, `out/` and the method's `scratch/`"""

    ask: Ask
    folder: Path
    setting: Setting | None = None
    method: Any = None
    work: Any = None
    clock: MethodClock | None = None
    support: list[Volume] = field(default_factory=list)
    unlabelled: list[Volume] = field(default_factory=list)
    peaks: DevicePeaks = field(default_factory=lambda: DevicePeaks("cpu"))

    def answer(self, question: str, files: Sequence[int], facts: dict[str, Any]) -> Reply:
        """What a method lets out, of whatever kind, becomes the reason; the log has the
        traceback."""
        try:
            with use_storage(RemoteStorage(self.ask, self.folder)):
                found: Reply = getattr(self, f"do_{question}")(*([files] if files else []), **facts)
        except BaseException as error:
            with suppress(OSError, ValueError):  # a full disk, a closed stream: no log
                traceback.print_exc()
            return {"error": reason_of(error)}
        return found

    def do_start(
        self,
        *,
        method: dict[str, Any],
        options: dict[str, Any],
        setting: dict[str, Any],
        seed: int,
        threads: int,
        memory_gb: float | None,
        deterministic: OnCuda | None,
    ) -> Reply:
        """Everything of an earlier unit is forgotten; the method's code is imported."""
        self.do_forget()
        shutil.rmtree(self.folder / "scratch", ignore_errors=True)
        torch.set_num_threads(max(1, threads))
        if deterministic is not None:
            make_deterministic(setting["device"], deterministic)
        cap_memory(setting["device"], memory_gb)
        self.peaks = DevicePeaks(setting["device"])
        self.setting = setting_from(setting)
        self.options = SimpleNamespace(**options)
        self.random = RandomStream(seed)
        self.synchronise = synchroniser(setting["device"])
        entry = Found("method", **{**method, "folder": Path(method["folder"])})
        (entry,) = [found for found in read_entries(entry) if found.variant == entry.variant]
        with self.random.use():
            self.loaded = load(entry)
        # Hashing imports and sets up parts of torch: not what a method's state_dict costs.
        state_hash({"array": np.zeros(1), "tensor": torch.zeros(1)})
        return device_facts(setting["device"])

    def do_forget(self) -> Reply:
        self.method = self.work = self.clock = None
        self.support.clear()
        self.unlabelled.clear()
        self.best: dict[str, Any] | None = None
        return {}

    def do_make(self) -> Reply:
        with self.random.use():
            self.method = self.loaded(self.options, self.setting)
        return {}

    def do_volume(self, files: Sequence[int], *, role: str, volume: dict[str, Any]) -> Reply:
        """One more volume of the task."""
        {"support": self.support, "unlabelled": self.unlabelled}[role].append(
            received(volume, files)
        )
        return {}

    def do_begin(
        self,
        *,
        phase: str,
        seconds_limit: float | None,
        steps_limit: int | None,
        pretrained: str | None,
        saved: str | None,
    ) -> Reply:
        """Calls `pretrain` or `adapt`. `adapts`: whether the method has such a phase."""
        assert self.setting is not None
        self.phase, self.peaks.found = phase, {}
        begin = getattr(self.method, phase, None)
        if begin is None:
            return {"adapts": False}
        self.parts = SavedParts(
            None if saved is None else self.folder / saved, self.random, self._account
        )
        self.clock = MethodClock(seconds_limit, steps_limit, on_resume=self.parts.resume)
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        task = Task(
            setting=self.setting,
            support=tuple(self.support) if phase == "adapt" else (),
            unlabelled=tuple(self.unlabelled),
            scratch=scratch,
            pretrained=None if pretrained is None else load_state(self.folder / pretrained),
        )
        self.work = self._on_clock(0.0, lambda: begin(task, self.clock))
        if not inspect.isgenerator(self.work):
            kind = type(self.work).__name__
            raise TypeError(
                f"{phase} returned {kind}, not a generator; write `yield Progress(...)` in it"
            )
        return {"adapts": True}

    def _account(self) -> dict[str, Any]:
        """The phase goes on: where the supervisor's clock stands."""
        self.best = self.parts.best
        return self.ask("resume")[0]

    def _on_clock(self, spent: float, work: Callable[[], Any]) -> Any:
        assert self.clock is not None
        self.clock.start(spent)
        try:
            self.synchronise()
            with self.peaks.of(self.phase), self.random.use(), self.clock.ledger.use():
                return work()
        finally:
            self.synchronise()
            self.clock.stop()

    def do_pull(self, *, seconds: float) -> Reply:
        """One step of the generator; work that is queued on the device is waited for before and
        after, so that who queued it pays for it."""
        assert self.clock is not None
        end = object()
        progress = self._on_clock(seconds, lambda: next(self.work, end))
        if progress is end:
            return {"end": True}
        if not isinstance(progress, Progress):
            raise TypeError(f"a method yields Progress, not {type(progress).__name__}")
        self.clock.count(progress)
        loss = None if progress.loss is None else float(progress.loss)
        return {
            "steps": int(progress.steps),
            "samples": int(progress.samples),
            "loss": loss,
            "epoch": bool(progress.epoch),
        }

    def do_close(self, *, seconds: float) -> Reply:
        """`worked`: this process' own account of the phase; `device_peaks` those of its memory."""
        assert self.clock is not None
        work, self.work = self.work, None
        if work is not None:
            self._on_clock(seconds, work.close)
        return {"worked": self.clock.worked, "device_peaks": self.peaks.found}

    def do_predict(self, files: Sequence[int], *, volume: dict[str, Any]) -> Reply:
        given = received(volume, files)
        assert self.setting is not None
        self.synchronise()
        # The same stream for every volume and probe.
        stream = prediction_stream(self.setting.seed)
        with self.peaks.of("predict"), stream.use(), Ledger().use():
            found = self.method.predict(given)
        self.synchronise()
        if not isinstance(found, np.ndarray):
            return {"type": type(found).__name__}
        facts = {"dtype": str(found.dtype), "shape": list(found.shape)}
        if found.dtype == np.uint8 and found.shape == given.image.shape:
            self._hand_over(given.case, found)
        return facts

    def _hand_over(self, case: str, prediction: np.ndarray) -> None:
        try:
            np.save(self.folder / "out" / "prediction.npy", prediction)
        except OSError as error:  # numpy says how many bytes it could write, and not why
            raise RuntimeError(
                f"no room for the prediction of {case} ({error}); make room in the folder of "
                "temporary files, or set TMPDIR"
            ) from error

    def do_state(self) -> Reply:
        """The adapted method's state, into a file."""
        save_state(self.folder / "out" / "state.safetensors", self.method.state_dict())
        return {"file": "state.safetensors"}

    def do_state_hash(self) -> Reply:
        return {"sha256": state_hash(self.method.state_dict())}

    def do_load(self, *, state: str) -> Reply:
        self.method.load_state_dict(load_state(self.folder / state))
        return {}

    def do_keep_best(self) -> Reply:
        self.best = snapshot(self.method.state_dict())
        return {}

    def do_take_best(self) -> Reply:
        assert self.best is not None
        self.method.load_state_dict(self.best)
        return {}

    def do_leave(self) -> Reply:
        """Saves what the phase needs to go on. `saved`: the method has said how."""
        file = self.folder / "out" / "parts.safetensors"
        return {"saved": self.parts.save(file, self.best), "file": file.name}

    def do_parameters(self) -> Reply:
        """Counts; null for a method without torch parameters. Peaks of device memory by phase."""
        counts: dict[str, int | None] = {"trainable": None, "total": None}
        if hasattr(self.method, "parameters"):
            listed = list(self.method.parameters())
            counts["trainable"] = sum(p.numel() for p in listed if p.requires_grad)
            counts["total"] = sum(p.numel() for p in listed)
        return {**counts, "device_peaks": self.peaks.found}

    def do_traces(self) -> Reply:
        from bench.worker.traces import global_state

        return global_state()


def setting_from(facts: Mapping[str, Any]) -> Setting:
    """As `bench.unit.handover.setting_facts` says it."""
    cache = facts["cache"]
    return Setting(
        classes=tuple(facts["classes"]),
        modality=facts["modality"],
        device=facts["device"],
        seed=facts["seed"],
        backbone=facts["backbone"],
        cache=None if cache is None else Path(cache),
    )
