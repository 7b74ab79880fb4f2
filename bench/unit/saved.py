"""A phase that was stopped in the middle, on the disk: what the supervisor knows as JSON, and
beside it the file in which the worker has the method's own parts.

It is valid for the same unit on the same kind of machine with the same packages. Anywhere else the
unit begins anew: seconds of two machines are never added up in one record.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.record.schema import Machine
from bench.record.whole import clear_scratch, whole
from bench.unit.handed import copy_handed
from bench.unit.machine import versions

LAYOUT = 3
"""Of what the harness saves beside a method's own parts. To be raised where that changes: what an
earlier version saved is then left alone."""


def place_of(machine: Machine) -> dict[str, Any]:
    """What must be the same for a unit to go on."""
    return {"layout": LAYOUT, "machine": machine.fingerprint, "versions": versions()}


@dataclass(frozen=True)
class SavedPhase:
    """`<path>.json` and `<path>.safetensors`. `place`: as `place_of` says of where it runs now."""

    path: Path
    place: Mapping[str, Any]

    @property
    def facts(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def tensors(self) -> Path:
        return self.path.with_name(f"{self.path.name}.safetensors")

    def write(self, content: Mapping[str, Any], worker_file: Path) -> None:
        """The worker's file is copied: its process may hold it open."""
        copy_handed(worker_file, self.tensors)
        facts = {
            "place": dict(self.place),
            "sha256": file_sha256(self.tensors),
            "content": dict(content),
        }
        with whole(self.facts) as scratch:
            scratch.write_text(json.dumps(facts), encoding="utf-8")

    def read(self) -> dict[str, Any] | None:
        """None where there is none, or none that holds here. A broken one is worth nothing: the
        unit begins anew, which is what would have happened without it."""
        try:
            found = json.loads(self.facts.read_bytes())
            content: dict[str, Any] = found["content"]
            if found["sha256"] != file_sha256(self.tensors):
                raise ValueError("its two files do not belong together")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            print(f"{self.path.name} can't be used: {error}; the unit begins anew", flush=True)
            return None
        if found["place"] != dict(self.place):
            print(
                f"{self.path.name} was made on another machine or by other versions; "
                "the unit begins anew",
                flush=True,
            )
            return None
        return content

    def clear(self) -> None:
        for path in (self.facts, self.tensors):
            path.unlink(missing_ok=True)
            clear_scratch(path)


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
