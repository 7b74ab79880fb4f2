"""A start of a training as a worker makes it: its random stream, its clock, its saved parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.contract import Progress
from bench.unit.rng import RandomStream
from bench.worker.clock import MethodClock
from bench.worker.resume import SavedParts


class StoppedError(Exception):
    """Between two steps, with everything saved."""


class Start:
    """What a worker does of a phase: its random stream, its clock, and the parts that it saves."""

    def __init__(self, folder: Path | None, steps: int) -> None:
        self.folder, self.epochs = folder, 0
        self.random = RandomStream(3)
        file = None
        if folder is not None:
            folder.mkdir(exist_ok=True)
            file = folder / "parts.safetensors"
        saved = file if file is not None and file.is_file() else None
        self.parts = SavedParts(saved, self.random, self._account)
        self.clock = MethodClock(None, steps, on_resume=self.parts.resume)

    def _account(self) -> dict[str, Any]:
        assert self.folder is not None
        steps, self.epochs = map(int, (self.folder / "account").read_text().split())
        return {"steps": steps, "seconds": 0.0, "worker_seconds": 0.0, "paid": []}

    def pull(self, work: Iterator[Progress], stop: int = 0) -> None:
        for pulled in range(1, 10**6):
            with self.random.use():
                progress = next(work, None)
            if progress is None:
                return
            self.clock.count(progress)
            self.epochs += progress.epoch
            if pulled == stop:
                assert self.folder is not None
                assert self.parts.save(self.folder / "parts.safetensors", None)
                (self.folder / "account").write_text(f"{self.clock.steps} {self.epochs}")
                raise StoppedError
            if self.clock.fraction >= 1:
                work.close()  # type: ignore[attr-defined]
                return
