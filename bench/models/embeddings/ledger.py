"""Who pays for an embedding: everybody who needs it, once, whoever computed it.

The harness's clock has a ledger a phase, and it is the current one while the method is pulled:

    with clock.ledger.use():
        progress = next(work)
    clock.seconds      # what ran, and ledger.account.owed_seconds: what hits were spared

A phase therefore costs the same with a cold cache and a warm one, and looking at a run between
two pulls (a probe that predicts) pays nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Account:
    """hits, misses      distinct embeddings that were found, or computed
    computed_seconds  device seconds of loading and encoding the misses
    owed_seconds      what the hits cost whoever computed them, for those not paid for before
    """

    hits: int = 0
    misses: int = 0
    computed_seconds: float = 0.0
    owed_seconds: float = 0.0

    def __add__(self, other: Account) -> Account:
        return Account(
            hits=self.hits + other.hits,
            misses=self.misses + other.misses,
            computed_seconds=self.computed_seconds + other.computed_seconds,
            owed_seconds=self.owed_seconds + other.owed_seconds,
        )

    @property
    def state(self) -> Literal["unused", "cold", "warm", "mixed"]:
        """What a record says of the cache."""
        if self.hits and self.misses:
            return "mixed"
        if self.hits:
            return "warm"
        return "cold" if self.misses else "unused"


@dataclass
class Ledger:
    """The account of one phase. An embedding that is needed again in it costs nothing more, and
    counts neither as a hit nor as a miss unless it has to be computed again.

    paid  keys of the embeddings that are on the account
    """

    account: Account = Account()
    paid: set[str] = field(default_factory=set, repr=False)

    def enter(self, *, found: dict[str, float], computed: dict[str, float]) -> Account:
        """Write down one call: key -> seconds. What it adds to the account."""
        new = {key: cost for key, cost in found.items() if key not in self.paid}
        entry = Account(
            hits=len(new),
            misses=len(computed),
            computed_seconds=sum(computed.values()),
            owed_seconds=sum(new.values()),
        )
        self.paid.update(new, computed)
        self.account += entry
        return entry

    @contextmanager
    def use(self) -> Iterator[Ledger]:
        """Current for a while; then the one before is current again."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)


_current: ContextVar[Ledger | None] = ContextVar("embedding_ledger", default=None)
_outside = Ledger()


def current_ledger() -> Ledger:
    """The phase's, or the process's own where no phase runs."""
    return _current.get() or _outside
