"""The progress of a sweep: a bar in a terminal, a line a unit elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bench.executors.events import Event
from bench.unit.spec import Unit


class UnitProgress:
    """`done` counts the units that ended well, here or in another sweep."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self.total = len(units)
        self.done = 0
        self.failed = 0
        self._running: dict[str, str] = {}
        self._bar: Progress | None = None

    def __enter__(self) -> UnitProgress:
        if sys.stderr.isatty():
            self._bar = Progress(
                SpinnerColumn(),
                MofNCompleteColumn(),
                BarColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                TextColumn("{task.description}"),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task("starting", total=self.total)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def report(self, event: Event) -> None:
        key = event.unit.key
        if event.kind == "started":
            self._running[key] = event.unit.title
        else:
            self._running.pop(key, None)
            self.done += event.kind in ("done", "elsewhere")
            self.failed += event.kind in ("failed", "stopped")
        self._show(event)

    def _show(self, event: Event) -> None:
        words = {"done": "done", "failed": "FAILED", "stopped": "left"}
        words["elsewhere"] = "done by another sweep"
        line = None
        if event.kind in words:
            line = f"{words[event.kind]:<6} {event.unit.title}"
            line += f": {event.reason}" if event.reason else ""
        if self._bar is None:
            if line:
                count = f"[{self.done + self.failed}/{self.total}]"
                print(f"{count} {line}", flush=True)
            return
        if line and event.kind in ("failed", "stopped"):
            self._bar.console.print(escape(line), style="red", highlight=False)
        running = ", ".join(self._running.values())
        self._bar.update(
            self._task, completed=self.done + self.failed, description=escape(running[:60])
        )
