"""One confined worker for all units of a check: starting one takes seconds, and there are a dozen
checks. One that had to be ended is replaced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.registry import Registry
from bench.unit.life import confined
from bench.unit.spec import Unit
from bench.unit.watch import Limits
from bench.unit.worker import Worker, WorkerProcess


class ReusedWorker:
    """Called like `bench.unit.life.confined`. Use it in a `with` block.

    limits  of each answer, and of the whole check
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        self._worker: WorkerProcess | None = None

    def __enter__(self) -> ReusedWorker:
        return self

    def __exit__(self, *_: object) -> None:
        if self._worker is not None:
            self._worker.end()

    @contextmanager
    def __call__(self, unit: Unit, registry: Registry, folder: Path) -> Iterator[Worker]:
        """`folder` of the unit is not used: the worker outlives it."""
        if self._worker is not None and not self._worker.usable:
            self._worker.end()
            self._worker = None
        if self._worker is None:
            self._worker = confined(unit, registry, self._folder)
            self._worker.limits = self._limits
        self._worker.background = 0.0
        yield self._worker
