"""What a record of a unit says whether it succeeds or not. No torch: a machine that only submits
jobs writes records, too."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bench.protocol import VERSION
from bench.record.schema import Machine
from bench.unit.machine import machine_of, versions
from bench.unit.spec import Unit


def identity(unit: Unit, machine: Machine | None = None) -> dict[str, Any]:
    """`machine`: where it ran, if that is not here."""
    return {
        "protocol": VERSION,
        "key": unit.key,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "request": unit.request,
        "method": unit.method,
        "data": unit.data,
        "machine": machine or machine_of(unit),
        "versions": versions(),
    }
