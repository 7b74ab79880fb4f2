"""A worker in this very process: for `executor=inline`, for debugging. Nothing is confined."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import MethodError
from bench.record.schema import Isolation
from bench.unit.process_tree import peak_resident_bytes, tree_cpu_seconds
from bench.unit.waiting import thread_waited
from bench.unit.worker import Answer, Reply, make_folder
from bench.worker.session import Session


@dataclass
class InlineWorker:
    """What it does between two questions cannot be told from what its supervisor does."""

    folder: Path
    isolation: Isolation = "none"
    background: float = 0.0
    inline: bool = True
    _answers: dict[str, Answer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.session = Session(self._ask, self.folder)

    def __enter__(self) -> InlineWorker:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.do_forget()
        shutil.rmtree(self.folder, ignore_errors=True)

    def on(self, question: str, answer: Answer) -> None:
        self._answers[question] = answer

    def _ask(
        self, question: str, files: Sequence[int] = (), **facts: Any
    ) -> tuple[dict[str, Any], list[int]]:
        return self._answers[question](facts)

    def call(self, question: str, files: Sequence[int] = (), **facts: Any) -> Reply:
        # The session closes what it is handed, as another process would its own.
        reply = self.session.answer(question, [os.dup(file) for file in files], facts)
        if "error" in reply:
            raise MethodError(str(reply["error"]))
        return Reply(reply)

    @contextmanager
    def idle(self) -> Iterator[None]:
        yield

    def waited(self) -> float:
        return thread_waited()

    def cpu_seconds(self) -> float:
        return tree_cpu_seconds(os.getpid())

    def peak_bytes(self) -> int:
        return peak_resident_bytes(os.getpid())


def start_inline(parent: Path) -> InlineWorker:
    return InlineWorker(make_folder(parent))
