"""Where units run. `executor=NAME` is one of ours or an entry point in `sambench.executors`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, Protocol

from bench.errors import unknown
from bench.executors.events import Event
from bench.unit.spec import Unit


class Executor(Protocol):
    """Runs units, reports each one's fate, and never does a unit that another sweep has claimed."""

    def __init__(self, options: Mapping[str, Any]) -> None: ...

    def run(self, units: Sequence[Unit], report: Callable[[Event], None]) -> None: ...


def make_executor(options: Mapping[str, Any]) -> Executor:
    """`options`: the composed `executor` group."""
    from bench.executors.inline import Inline
    from bench.executors.local import Local

    made: dict[str, Callable[[Mapping[str, Any]], Executor]] = {"inline": Inline, "local": Local}
    for point in entry_points(group="sambench.executors"):
        made.setdefault(point.name, point.load())
    name = str(options["name"])
    if name not in made:
        raise unknown("executor", name, made)
    return made[name](options)
