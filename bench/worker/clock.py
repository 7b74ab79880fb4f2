"""The budget as the method sees it. The supervisor's own clock decides; this one follows it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.contract import Progress, Stateful
from bench.models.embeddings.ledger import Ledger
from bench.unit.clock import share_of

Resume = Callable[[Mapping[str, Stateful]], dict[str, Any] | None]
"""Gives the parts their saved states; the account at which the phase goes on, None if it is new."""


@dataclass
class MethodClock:
    """`worked` is this process' own account of the seconds, which is held against the supervisor's.

    seconds_limit, steps_limit  of this phase, what was charged before taken off
    """

    seconds_limit: float | None
    steps_limit: int | None
    on_resume: Resume = lambda parts: None
    ledger: Ledger = field(default_factory=Ledger)
    now: Callable[[], float] = time.perf_counter
    steps: int = 0
    worked: float = 0.0
    _spent: float = 0.0
    _since: float | None = None
    _owed_before: float = 0.0
    _resumed: bool = False

    def start(self, spent: float | None = None) -> None:
        """A lap begins. `spent`: seconds on the supervisor's clock; without, on this one."""
        self._spent = self.seconds if spent is None else spent
        self._owed_before = self.ledger.account.owed_seconds
        self._since = self.now()

    def stop(self) -> None:
        assert self._since is not None
        lap = self.now() - self._since
        self.worked += lap
        self._spent += lap
        self._since = None

    def count(self, progress: Progress) -> None:
        self.steps += int(progress.steps)

    @property
    def limited(self) -> bool:
        return self.seconds_limit is not None or self.steps_limit is not None

    @property
    def step_limit(self) -> int | None:
        return None if self.steps_limit is None else max(0, self.steps_limit)

    @property
    def seconds(self) -> float:
        running = 0.0 if self._since is None else self.now() - self._since
        return self._spent + running + self.ledger.account.owed_seconds - self._owed_before

    @property
    def fraction(self) -> float:
        shares = [0.0]
        if self.steps_limit is not None:
            shares.append(share_of(self.steps, self.steps_limit))
        if self.seconds_limit is not None:
            shares.append(share_of(self.seconds, self.seconds_limit))
        return min(1.0, max(shares))

    @property
    def spent(self) -> bool:
        return self.limited and self.fraction >= 1.0

    def resume(self, **parts: Stateful) -> bool:
        """As the contract says (bench.contract.ResumableClock)."""
        if self._resumed:
            raise RuntimeError("clock.resume is called once a phase")
        self._resumed = True
        account = self.on_resume(parts)
        if account is None:
            return False
        self.steps = int(account["steps"])
        self.worked = float(account["worker_seconds"])
        self.ledger.paid = set(account["paid"])
        self.start(float(account["seconds"]))
        return True
