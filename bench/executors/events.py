"""What happens to a unit, as an executor reports it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.unit.spec import Unit


@dataclass(frozen=True)
class Event:
    """elsewhere  another sweep on the same results folder did it meanwhile
    stopped    it ended without a record, and nothing went wrong: another run goes on with it
    """

    kind: Literal["started", "done", "failed", "elsewhere", "stopped"]
    unit: Unit
    reason: str | None = None
