"""What happens to a unit, as an executor reports it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.unit.spec import Unit


@dataclass(frozen=True)
class Event:
    """`elsewhere`: another sweep on the same results folder did it meanwhile."""

    kind: Literal["started", "done", "failed", "elsewhere"]
    unit: Unit
    reason: str | None = None
