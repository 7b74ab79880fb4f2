"""How far a download is: a bar on a terminal, two lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from bench.fetch.size import size_text

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Meter(Protocol):
    """Told in bytes, counted from the file's start. `start` comes again with a new connection."""

    def start(self, task: str, *, total: int | None, done: int) -> None: ...

    def move(self, done: int) -> None: ...

    def stop(self, *, complete: bool) -> None: ...

    def say(self, line: str) -> None: ...


@contextmanager
def metered(meter: Meter) -> Iterator[None]:
    """Stops the meter however the work ends, so that no bar hides the error below it."""
    try:
        yield
    except BaseException:
        meter.stop(complete=False)
        raise
    meter.stop(complete=True)


def terminal_meter(stream: TextIO | None = None) -> Meter:
    """The meter that suits the stream (default: stderr, so that tables on stdout stay clean)."""
    stream = sys.stderr if stream is None else stream
    return BarMeter(stream) if stream.isatty() else LineMeter(stream)


class Silent:
    """Says nothing."""

    def start(self, task: str, *, total: int | None, done: int) -> None:
        return

    def move(self, done: int) -> None:
        return

    def stop(self, *, complete: bool) -> None:
        return

    def say(self, line: str) -> None:
        return


class LineMeter:
    """A line at the start with the size, a line at the end with the time."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.task = ""
        self.first = self.done = 0
        self.since = 0.0

    def start(self, task: str, *, total: int | None, done: int) -> None:
        size = "size unknown" if total is None else size_text(total)
        self.say(f"{task}: {size}" + (f", going on at {size_text(done)}" if done else ""))
        if task != self.task:
            self.task, self.first, self.since = task, done, time.monotonic()
        self.done = done

    def move(self, done: int) -> None:
        self.done = done

    def stop(self, *, complete: bool) -> None:
        if complete and self.task:
            took = time.monotonic() - self.since
            self.say(f"{self.task}: done, {size_text(self.done)} in {took:.1f} s")
        self.task = ""

    def say(self, line: str) -> None:
        print(line, file=self.stream, flush=True)


class BarMeter:
    """A rich bar with the amount, the speed and the time left."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.progress: Progress | None = None
        self.task_id: TaskID | None = None

    def start(self, task: str, *, total: int | None, done: int) -> None:
        if self.progress is None:
            self.progress = self._bar()
            self.progress.start()
            self.task_id = self.progress.add_task(task, total=total, completed=done)
        elif self.task_id is not None:
            self.progress.update(self.task_id, description=task, total=total, completed=done)

    def _bar(self) -> Progress:
        from rich import progress
        from rich.console import Console

        return progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
            console=Console(file=self.stream),
        )

    def move(self, done: int) -> None:
        if self.progress is not None and self.task_id is not None:
            self.progress.update(self.task_id, completed=done)

    def stop(self, *, complete: bool) -> None:
        if self.progress is not None:
            self.progress.stop()
        self.progress = self.task_id = None

    def say(self, line: str) -> None:
        if self.progress is None:
            print(line, file=self.stream, flush=True)
        else:
            self.progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
