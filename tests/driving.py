"""A method object driven as the harness drives it, by a worker of this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.contract import Setting, Task
from bench.models.embeddings.storage import FolderStorage
from bench.unit.clock import BudgetClock
from bench.unit.drive import Drive, Probe, drive
from bench.unit.embeddings import EmbeddingKeeper
from bench.unit.handover import RemoteWork
from bench.unit.inline_worker import start_inline
from bench.unit.rng import RandomStream

SETTING = Setting(classes=(), modality="", device="cpu", seed=0)


def driven(
    method: Any,
    task: Task | None = None,
    *,
    clock: BudgetClock | None = None,
    seed: int = 0,
    probe: Probe | None = None,
    probes: int = 0,
    synchronise: Callable[[], None] = lambda: None,
) -> Drive:
    """Its adaptation, on the task's volumes, until the clock or the method ends."""
    clock = clock or BudgetClock(seconds_limit=None, steps_limit=None)
    with TemporaryDirectory() as folder, start_inline(Path(folder)) as worker:
        EmbeddingKeeper(FolderStorage(Path(folder) / "embeddings"), worker).ledger = clock.ledger
        session = worker.session
        session.setting, session.method = SETTING, method
        session.random, session.synchronise = RandomStream(seed), synchronise
        if task is not None:
            session.support[:], session.unlabelled[:] = task.support, task.unlabelled
        work = RemoteWork(worker, clock)
        assert work.begin("adapt", pretrained=None, saved=None)
        return drive(work, clock=clock, probe=probe, probes=probes)
