"""What a training run was asked for: words of the command line, checked."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from bench.errors import RequestError

WHICH = ("sam", "sam2", "dino")


@dataclass(frozen=True)
class Plan:
    """One training run. Steps alone fix it; `seconds` makes the schedule follow the clock."""

    which: str
    steps: int = 20_000
    seconds: float = 0.0  # 0: no limit, and the run can be repeated to the bit
    rate: float = 1e-3
    warmup: int = 100
    decay: float = 0.05
    clip: float = 1.0
    threads: int = 1
    seed: int = 0
    device: str = "cpu"
    half: bool = True  # bfloat16 autocast
    save_every: float = 60.0  # seconds between checkpoints
    out: Path = Path("nano")


def parsed(words: list[str]) -> Plan:
    """The plan that words like `which=sam` and `steps=100` describe."""
    known = {f.name: f for f in fields(Plan)}
    given: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in known:
            raise RequestError(
                f"nano training does not know {word!r}; write NAME=VALUE with NAME one of "
                f"{', '.join(known)}"
            )
        given[name] = value
    if given.get("which") not in WHICH:
        raise RequestError(f"say which network to train: which={'|'.join(WHICH)}")
    default = Plan(which=given.pop("which"))
    values = {name: _converted(name, text, getattr(default, name)) for name, text in given.items()}
    plan = replace(default, **values)
    if plan.steps < 1 or plan.threads < 1:
        raise RequestError("steps and threads of nano training must be at least 1")
    return plan


def _converted(name: str, value: str, default: Any) -> Any:
    if isinstance(default, bool):
        if value.lower() not in ("true", "false"):
            raise RequestError(f"{name}={value}: write true or false")
        return value.lower() == "true"
    try:
        return type(default)(value)
    except ValueError:
        kind = type(default).__name__
        raise RequestError(f"{name}={value}: not a value of type {kind}") from None
