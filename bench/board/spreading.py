"""One function over many parts, in as many processes as there are cores to use."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from bench.device import usable_cores
from bench.errors import RequestError

FEWEST = 2000
"""Records below which other processes would cost more than they save."""
MOST = 8
"""Processes: the parts come back to one, which has to take them."""

Part = TypeVar("Part")
Result = TypeVar("Result")
_work: Callable[[Any], Any]


def spread(
    function: Callable[[Part], Result], parts: Sequence[Part], *, records: int
) -> Iterator[Result]:
    """The results in the order of the parts; an error comes up in its part's place. `records`: so
    many are behind all the parts.

    The processes are forks of this one: `function` may be a closure over gigabytes, only parts and
    results are sent. All is done here where there is one core, where forks are not safe (anywhere
    but on Linux), or little to do.
    """
    workers = min(usable_cores(), len(parts), MOST)
    if workers < 2 or records < FEWEST or sys.platform != "linux":
        yield from map(function, parts)
        return
    context = multiprocessing.get_context("fork")
    try:
        with ProcessPoolExecutor(
            workers, context, initializer=_start, initargs=(function,)
        ) as pool:
            yield from pool.map(_run, parts)
    except BrokenProcessPool:
        raise RequestError(
            "a process that helped was killed, most likely for want of memory; free some, or give "
            "this one core (taskset -c 0) to work without helpers"
        ) from None


def _start(function: Callable[[Any], Any]) -> None:
    global _work
    _work = function
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits


def _run(part: Any) -> Any:
    return _work(part)
