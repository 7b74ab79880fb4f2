"""A phase that was stopped between two yields: its parts saved, and given back to a new start.

A method that can go on says so before its first yield, to the clock:

    clock.resume(network=self.network, optimiser=optimiser)

Each part has `state_dict` and `load_state_dict`. When the unit is asked to stop, their states are
saved after a yield, with the global random state. The next start calls the method again as if it
were new; where it reaches `resume`, everything is as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contract import Stateful
from bench.unit.rng import RandomStream
from bench.worker.nested import read_nested, write_nested


@dataclass
class SavedParts:
    """file     of an earlier start, checked by the supervisor; None where there is none
    account  asks where the supervisor's clock stood
    """

    file: Path | None
    random: RandomStream
    account: Callable[[], dict[str, Any]]
    best: dict[str, Any] | None = None
    _parts: Mapping[str, Stateful] | None = None

    def resume(self, parts: Mapping[str, Stateful]) -> dict[str, Any] | None:
        self._parts = parts
        if self.file is None:
            return None
        found = read_nested(self.file)
        if set(parts) != set(found["parts"]):
            raise RuntimeError(
                f"clock.resume was called with {sorted(parts)}, and saved "
                f"{sorted(found['parts'])}: a method's parts depend on its options alone"
            )
        for name, part in parts.items():
            part.load_state_dict(found["parts"][name])
        self.random.make_current(found["random"])
        self.best = found["best"]
        return self.account()

    def save(self, file: Path, best: dict[str, Any] | None) -> bool:
        """False where the method never said what it consists of: it begins anew another time."""
        if self._parts is None:
            return False
        write_nested(
            file,
            {
                "parts": {name: dict(part.state_dict()) for name, part in self._parts.items()},
                "random": self.random.state,
                "best": best,
            },
        )
        return True
