"""Which executors there are, and what options they take: read before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast

from bench.errors import unknown

GROUP = "sambench.executors"
CONF = Path(__file__).resolve().parents[1] / "conf" / "executor"
OURS = {
    "inline": "bench.executors.inline:Inline",
    "local": "bench.executors.local:Local",
    "slurm": "bench.executors.slurm:Slurm",
}


def points() -> dict[str, EntryPoint]:
    """Name -> where the class is. Ours cannot be replaced by a package of the same name."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    return found | {name: EntryPoint(name, value, GROUP) for name, value in OURS.items()}


def executor_class(name: str) -> Any:
    known = points()
    if name not in known:
        raise unknown("executor", name, known)
    return known[name].load()


@cache
def executor_defaults(name: str) -> Mapping[str, Any]:
    """Its options with what they are when nobody says: of ours in a file, else the class's own."""
    if name not in OURS:
        return dict(getattr(executor_class(name), "options", {}))
    from omegaconf import OmegaConf

    content = OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml"))
    values = cast(dict[str, Any], content)
    return {key: value for key, value in values.items() if key != "name"}
