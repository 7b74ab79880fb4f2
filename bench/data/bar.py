"""How many cases are done: a bar on a terminal, two lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(title: str, total: int, *, shown: bool) -> Iterator[Callable[[], None]]:
    """Gives the function to call after each case. Writes to stderr: stdout is for tables."""
    if not shown:
        yield lambda: None
        return
    from rich import progress
    from rich.console import Console

    console = Console(file=sys.stderr)
    if not console.is_terminal:
        start = time.monotonic()
        print(f"{title}: {total} cases", file=sys.stderr, flush=True)
        yield lambda: None
        print(f"{title}: done in {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)
        return
    with progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        console=console,
    ) as running:
        task = running.add_task(title, total=total)
        yield lambda: running.advance(task)
