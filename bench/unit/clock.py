"""The budget: what is spent, and when to stop. The harness owns it; a method may only look."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.contract import Progress, Stateful
from bench.models.embeddings.ledger import Account, Ledger
from bench.unit.savepoint import Savepoint
from bench.unit.waiting import thread_waited


@dataclass
class BudgetClock:
    """Counts device seconds, steps, samples and epochs of one phase.

    It runs only between `start` and `stop`: probes, scoring and I/O of the harness are off it.
    `charged` seconds and steps (pre-training) were spent before it began. What cached embeddings
    cost whoever computed them is on the clock too, so a warm cache buys nobody time.
    `synchronise` waits for the device, so that queued work is paid for by who queued it.
    `waited` is the part of the seconds in which other work had this thread's core; NaN where the
    system does not say.
    """

    seconds_limit: float | None
    steps_limit: int | None
    charged_seconds: float = 0.0
    charged_steps: int = 0
    synchronise: Callable[[], None] = lambda: None
    now: Callable[[], float] = time.perf_counter
    thread_waited: Callable[[], float] = thread_waited
    ledger: Ledger = field(default_factory=Ledger)
    savepoint: Savepoint | None = None
    steps: int = 0
    samples: int = 0
    epochs: float = 0
    resumed_at: float = 0.0
    waited: float = 0.0
    _worked: float = 0.0
    _since: float | None = field(default=None, repr=False)
    _waited_since: float = field(default=0.0, repr=False)

    def start(self) -> None:
        self.synchronise()
        self._waited_since = self.thread_waited()
        self._since = self.now()

    def stop(self) -> None:
        """What ran since `start` is added to the account."""
        assert self._since is not None
        self.synchronise()
        self._worked += self.now() - self._since
        self._since = None
        self.waited += self.thread_waited() - self._waited_since

    @property
    def seconds(self) -> float:
        """Spent so far, the lap that runs included."""
        running = 0.0 if self._since is None else self.now() - self._since
        return self._worked + running + self.ledger.account.owed_seconds

    def count(self, progress: Progress) -> None:
        self.steps += int(progress.steps)
        self.samples += int(progress.samples)
        self.epochs += int(progress.epoch)

    def resume(self, **parts: Stateful) -> bool:
        """As the contract says. What was done again to get here is not charged a second time."""
        account = None if self.savepoint is None else self.savepoint.register(parts)
        if account is None:
            return False
        self.synchronise()
        self.steps, self.samples = account["steps"], account["samples"]
        self.epochs, self._worked = account["epochs"], account["worked"]
        self.waited, self._waited_since = account["waited"], self.thread_waited()
        self.ledger.account = Account(**account["embeddings"])
        self.ledger.paid = set(account["paid"])
        self._since = self.now()
        self.resumed_at = self.seconds
        return True

    @property
    def account(self) -> dict[str, Any]:
        """All that `resume` takes up; asked for between two laps."""
        return {
            "steps": self.steps,
            "samples": self.samples,
            "epochs": self.epochs,
            "worked": self._worked,
            "waited": self.waited,
            "embeddings": asdict(self.ledger.account),
            "paid": sorted(self.ledger.paid),
        }

    @property
    def limited(self) -> bool:
        return self.seconds_limit is not None or self.steps_limit is not None

    @property
    def step_limit(self) -> int | None:
        """Steps that this phase may take, pre-training's taken off."""
        if self.steps_limit is None:
            return None
        return max(0, self.steps_limit - self.charged_steps)

    @property
    def fraction(self) -> float:
        """Share of this phase's own allowance that is spent, 0 to 1. A schedule is fitted to it."""
        shares = [0.0]
        if self.steps_limit is not None:
            shares.append(_share(self.steps, self.steps_limit - self.charged_steps))
        if self.seconds_limit is not None:
            shares.append(_share(self.seconds, self.seconds_limit - self.charged_seconds))
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


def _share(spent: float, allowed: float) -> float:
    return spent / allowed if allowed > 0 else 1.0
