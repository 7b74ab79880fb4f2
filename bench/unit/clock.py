"""The budget: what is spent, and when to stop. The harness owns it; a method may only look."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.contract import Progress
from bench.models.embeddings.ledger import Account, Ledger
from bench.unit.waiting import thread_waited


@dataclass
class BudgetClock:
    """Counts seconds, steps, samples and epochs of one phase.

    It runs only between `start` and `stop`: probes, scoring and I/O of the harness are off it.
    `charged` seconds and steps (pre-training) were spent before it began. What cached embeddings
    cost whoever computed them is on the clock too, so a warm cache buys nobody time.
    `waited` is the part of the seconds in which other work had the core of the method's thread; NaN
    where the system does not say.
    """

    seconds_limit: float | None
    steps_limit: int | None
    charged_seconds: float = 0.0
    charged_steps: int = 0
    now: Callable[[], float] = time.perf_counter
    thread_waited: Callable[[], float] = thread_waited
    ledger: Ledger = field(default_factory=Ledger)
    steps: int = 0
    samples: int = 0
    epochs: float = 0
    resumed_at: float | None = None
    waited: float = 0.0
    worked: float = 0.0
    _since: float | None = field(default=None, repr=False)
    _waited_since: float = field(default=0.0, repr=False)

    def start(self) -> None:
        self._waited_since = self.thread_waited()
        self._since = self.now()

    def stop(self) -> None:
        """What ran since `start` is added to the account."""
        assert self._since is not None
        self.worked += self.now() - self._since
        self._since = None
        self.waited += self.thread_waited() - self._waited_since

    @property
    def seconds(self) -> float:
        """Spent so far, the lap that runs included."""
        running = 0.0 if self._since is None else self.now() - self._since
        return self.worked + running + self.ledger.account.owed_seconds

    def count(self, progress: Progress) -> None:
        self.steps += progress.steps
        self.samples += progress.samples
        self.epochs += int(progress.epoch)

    def resume(self, account: Mapping[str, Any]) -> None:
        """The phase goes on in this lap. What was done again to get here is not charged a second
        time."""
        self.steps, self.samples = account["steps"], account["samples"]
        self.epochs, self.worked = account["epochs"], account["worked"]
        self.waited, self._waited_since = account["waited"], self.thread_waited()
        self.ledger.account = Account(**account["embeddings"])
        self.ledger.paid = set(account["paid"])
        self._since = self.now()
        self.resumed_at = self.seconds

    @property
    def account(self) -> dict[str, Any]:
        """All that `resume` takes up; asked for between two laps."""
        return {
            "steps": self.steps,
            "samples": self.samples,
            "epochs": self.epochs,
            "worked": self.worked,
            "waited": self.waited,
            "embeddings": asdict(self.ledger.account),
            "paid": sorted(self.ledger.paid),
        }

    @property
    def limited(self) -> bool:
        return self.seconds_limit is not None or self.steps_limit is not None

    @property
    def phase_seconds(self) -> float | None:
        """Seconds that this phase may take, pre-training's taken off."""
        return None if self.seconds_limit is None else self.seconds_limit - self.charged_seconds

    @property
    def phase_steps(self) -> int | None:
        """Steps that this phase may take, pre-training's taken off."""
        return None if self.steps_limit is None else max(0, self.steps_limit - self.charged_steps)

    @property
    def fraction(self) -> float:
        """Share of this phase's own allowance that is spent, 0 to 1."""
        shares = [0.0]
        if self.phase_steps is not None:
            shares.append(share_of(self.steps, self.phase_steps))
        if self.phase_seconds is not None:
            shares.append(share_of(self.seconds, self.phase_seconds))
        return min(1.0, max(shares))

    @property
    def spent(self) -> bool:
        return self.limited and self.fraction >= 1.0

    @property
    def overshoot_seconds(self) -> float:
        if self.seconds_limit is None:
            return 0.0
        return max(0.0, self.charged_seconds + self.seconds - self.seconds_limit)

    @property
    def overshoot_steps(self) -> int:
        if self.steps_limit is None:
            return 0
        return max(0, self.charged_steps + self.steps - self.steps_limit)


def share_of(spent: float, allowed: float) -> float:
    """A schedule is fitted to it."""
    return spent / allowed if allowed > 0 else 1.0
