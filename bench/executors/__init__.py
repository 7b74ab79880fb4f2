"""Where units run. `executor=NAME` is one of ours or an entry point in `sambench.executors`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from bench.executors.events import Event
from bench.executors.known import executor_class
from bench.unit.spec import Unit


class Executor(Protocol):
    """Runs units, reports each one's fate, and never does a unit that another sweep has claimed.

    A class may say more, as attributes; `docs/cluster.md` shows one that is whole:

    options  option -> default: what `executor.OPTION=` may be given. Empty without it
    remote   True: units run on other machines. Then nobody looks for a GPU on this one
    left     what becomes of the units when the command is interrupted, in a sentence
    waits    False on an instance: `run` comes back before the units are done, and that is meant
    """

    def __init__(self, options: Mapping[str, Any]) -> None: ...

    def run(self, units: Sequence[Unit], report: Callable[[Event], None]) -> None: ...


def make_executor(options: Mapping[str, Any]) -> Executor:
    """`options`: the composed `executor` group."""
    executor: Executor = executor_class(str(options["name"]))(options)
    return executor
