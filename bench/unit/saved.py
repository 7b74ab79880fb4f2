"""The state of a unit that was stopped in the middle, on the disk: one file, whole or not there.

It is valid for the same unit on the same kind of machine with the same packages. Anywhere else the
unit begins anew: seconds of two machines are never added up in one record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import RequestError
from bench.unit.machine import describe_machine, versions
from bench.unit.pack import pack, unpack
from bench.unit.spec import Unit
from bench.unit.state import load_state, save_state

SKELETON = "skeleton"
LAYOUT = 3
"""Of what the harness saves beside a method's own parts. To be raised where that changes: what an
earlier version saved is then left alone."""


def place_of(unit: Unit) -> dict[str, Any]:
    """What must be the same for a unit to go on."""
    return {
        "layout": LAYOUT,
        "machine": describe_machine(unit.device, unit.threads).fingerprint,
        "versions": versions(),
    }


@dataclass(frozen=True)
class SavedState:
    """One file. `place`: as `place_of` says of the unit that runs now."""

    path: Path
    place: Mapping[str, Any]

    def write(self, content: Mapping[str, Any]) -> None:
        tensors: dict[str, Any] = {}
        skeleton = json.dumps(pack({"place": dict(self.place), **content}, tensors))
        tensors[SKELETON] = np.frombuffer(skeleton.encode(), dtype=np.uint8)
        save_state(self.path, tensors)

    def read(self) -> dict[str, Any] | None:
        """None where there is none, or none that holds here. A broken one is worth nothing: the
        unit begins anew, which is what would have happened without it."""
        if not self.path.is_file():
            return None
        try:
            tensors = load_state(self.path)
            skeleton = json.loads(tensors.pop(SKELETON).tobytes())
            content: dict[str, Any] = unpack(skeleton, tensors)
        except (RequestError, KeyError, ValueError) as error:
            print(f"{self.path.name} can't be used: {error}; the unit begins anew", flush=True)
            return None
        if content.pop("place") != dict(self.place):
            print(
                f"{self.path.name} was made on another machine or by other versions; "
                "the unit begins anew",
                flush=True,
            )
            return None
        return content

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)
