"""One phase of a unit, stopped and taken up again.

A method that can go on says so before its first yield, to the clock:

    clock.resume(network=self.network, optimiser=optimiser)

Each part has `state_dict` and `load_state_dict`. When the unit is asked to stop, their states are
saved after a yield, with the account of the clock and the global random state. The next start calls
the method again as if it were new; where it reaches `resume`, everything is as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.contract import Stateful
from bench.unit import stop
from bench.unit.rng import RandomStream
from bench.unit.saved import SavedState


@dataclass
class Savepoint:
    """file     where the phase's state lies between two starts
    gather   what else the harness saves with it
    restore  is given that, where the phase goes on
    """

    file: SavedState
    asked: Callable[[], bool] = lambda: stop.asked()
    gather: Callable[[], Mapping[str, Any]] = dict
    restore: Callable[[dict[str, Any]], None] = lambda found: None
    taken: bool = False
    _parts: Mapping[str, Stateful] | None = None
    _found: dict[str, Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._found = self.file.read()

    def register(self, parts: Mapping[str, Stateful]) -> dict[str, Any] | None:
        """The clock's account where the parts were given their saved states, else None."""
        if self._parts is not None:
            raise RuntimeError("clock.resume is called once a phase")
        self._parts = parts
        if self._found is None:
            return None
        if set(parts) != set(self._found["parts"]):
            raise RuntimeError(
                f"clock.resume was called with {sorted(parts)}, and saved "
                f"{sorted(self._found['parts'])}: a method's parts depend on its options alone"
            )
        for name, part in parts.items():
            part.load_state_dict(self._found["parts"][name])
        RandomStream.make_current(self._found["random"])
        self.taken = True
        account: dict[str, Any] = self._found["clock"]
        return account

    def take(self) -> dict[str, Any]:
        """The phase's own tally, once; the rest is restored."""
        assert self._found is not None
        found, self._found = self._found, None
        self.restore(found["outside"])
        tally: dict[str, Any] = found["tally"]
        return tally

    @property
    def waiting(self) -> bool:
        """The method has just gone on from an earlier state, and the harness has not yet."""
        return self.taken and self._found is not None

    def leave(self, account: Mapping[str, Any], random: RandomStream, tally: Any) -> None:
        """Ends the unit here. What cannot go on begins anew another time, under a new clock."""
        if self._parts is None:
            raise stop.Stopped(saved=False)
        self.file.write(
            {
                "parts": {name: dict(part.state_dict()) for name, part in self._parts.items()},
                "clock": dict(account),
                "random": random.state,
                "tally": tally,
                "outside": dict(self.gather()),
            }
        )
        raise stop.Stopped(saved=True)
